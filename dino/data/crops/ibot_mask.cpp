#include "dino/data/crops/ibot_mask.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "dino/base/error.h"
#include "dino/base/rounding.h"
#include "dino/data/crops/mask_fields.h"

namespace dino::data {
namespace {

constexpr int kTries = 10;
constexpr double kSmallestBlock = 4;                                    // patches
constexpr double kLowestBlock = 0.3, kTallestBlock = 1 / kLowestBlock;  // height / width

/** A mask that is being drawn. */
struct Grid {
  int height, width;
  std::vector<std::uint8_t> cells;  // [height, width]

  std::span<std::uint8_t> row(int y, int left, int size) {
    return std::span(cells).subspan(static_cast<std::size_t>(y * width + left),
                                    static_cast<std::size_t>(size));
  }
};

/** Masks one rectangle that adds 1 to `most` patches; returns how many, or 0 if no attempt fits. */
int add_block(Grid& grid, int most, Rng& rng) {
  for (int i = 0; i < kTries; ++i) {
    // Where fewer than 4 patches are missing the range is reversed, as in the reference.
    const double area = kSmallestBlock + (most - kSmallestBlock) * rng.uniform();
    const double aspect = std::exp(rng.uniform(std::log(kLowestBlock), std::log(kTallestBlock)));
    const int height = round_to_even(std::sqrt(area * aspect));
    const int width = round_to_even(std::sqrt(area / aspect));
    if (width >= grid.width || height >= grid.height) continue;
    const auto offset = [&](int room) {
      return static_cast<int>(rng.below(static_cast<std::uint64_t>(room) + 1));
    };
    const int top = offset(grid.height - height), left = offset(grid.width - width);
    int added = 0;
    for (int y = top; y < top + height; ++y)
      added += static_cast<int>(std::ranges::count(grid.row(y, left, width), std::uint8_t{0}));
    if (added == 0 || added > most) continue;
    for (int y = top; y < top + height; ++y) std::ranges::fill(grid.row(y, left, width), 1);
    return added;
  }
  return 0;
}

/** Masks `count` of the patches that are not masked, all choices equally likely. */
void fill_at_random(std::vector<std::uint8_t>& cells, int count, Rng& rng) {
  std::vector<std::size_t> free;
  for (std::size_t i = 0; i < cells.size(); ++i)
    if (cells[i] == 0) free.push_back(i);
  for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
    std::swap(free[i], free[i + rng.below(free.size() - i)]);
    cells[free[i]] = 1;
  }
}

/** Rolls the mask right and down by uniform offsets. */
void roll(Grid& grid, Rng& rng) {
  const auto down = static_cast<std::ptrdiff_t>(rng.below(static_cast<std::uint64_t>(grid.height)));
  const auto right = static_cast<std::ptrdiff_t>(rng.below(static_cast<std::uint64_t>(grid.width)));
  for (int y = 0; y < grid.height; ++y) {
    const auto row = grid.row(y, 0, grid.width);
    std::rotate(row.begin(), row.end() - right, row.end());
  }
  std::rotate(grid.cells.begin(), grid.cells.end() - down * grid.width, grid.cells.end());
}

/** torch.linspace's value `i` of `count` + 1, in single precision as the reference: floor() of a
 * product with it must fall on the same side. */
float linspace(const std::array<double, 2>& range, int i, int count) {
  const auto start = static_cast<float>(range[0]), end = static_cast<float>(range[1]);
  const float step = (end - start) / static_cast<float>(count);
  return i < (count + 1) / 2 ? std::fma(step, static_cast<float>(i), start)
                             : std::fma(-step, static_cast<float>(count - i), end);
}

void list_masked(BatchMasks& masks) {
  const auto patches =
      static_cast<std::size_t>(masks.grid_height) * static_cast<std::size_t>(masks.grid_width);
  for (std::size_t row = 0; row < masks.masked.size(); row += patches) {
    const std::size_t first = masks.indices.size();
    for (std::size_t i = row; i < row + patches; ++i)
      if (masks.masked[i] != 0) masks.indices.push_back(static_cast<std::int64_t>(i));
    const std::size_t count = masks.indices.size() - first;
    if (count > 0) masks.weights.resize(first + count, 1 / static_cast<float>(count));
  }
}

}  // namespace

void validate(const MaskOptions& options) {
  check_fields("masks", options);
  if (options.ratio[0] > options.ratio[1])
    fail(ErrorKind::Config, "[recipe] masks.ratio = [{}, {}] starts above its end; swap the two",
         options.ratio[0], options.ratio[1]);
}

std::vector<std::uint8_t> draw_mask(int grid_height, int grid_width, int target, bool exact,
                                    Rng& rng) {
  DINO_ASSERT(grid_height > 0 && grid_width > 0);
  const int patches = grid_height * grid_width;
  DINO_ASSERT(target >= 0 && target <= patches);
  const int largest_block = grid_height / 2 * grid_width;
  Grid grid{grid_height, grid_width,
            std::vector<std::uint8_t>(static_cast<std::size_t>(patches), 0)};
  int masked = 0;
  while (masked < target) {
    const int added = add_block(grid, std::min(target - masked, largest_block), rng);
    if (added == 0) break;
    masked += added;
  }
  if (exact) fill_at_random(grid.cells, target - masked, rng);
  return std::move(grid.cells);
}

BatchMasks draw_masks(int crops, int grid_height, int grid_width, const MaskOptions& options,
                      Rng rng) {
  DINO_ASSERT(crops > 0 && grid_height > 0 && grid_width > 0);
  const int patches = grid_height * grid_width;
  const auto count = [&](double ratio) {
    return static_cast<int>(static_cast<float>(patches) * static_cast<float>(ratio));
  };
  BatchMasks masks{.grid_height = grid_height, .grid_width = grid_width};
  const int chosen = static_cast<int>(crops * options.share);
  std::vector<std::vector<std::uint8_t>> drawn(static_cast<std::size_t>(crops));
  for (int i = 0; i < chosen; ++i) {
    const float low = linspace(options.ratio, i, chosen);
    const float high = linspace(options.ratio, i + 1, chosen);
    const int most = count(high);
    const int target = options.exact ? most : count(rng.uniform(low, high));
    auto& mask = drawn[static_cast<std::size_t>(i)];
    mask = draw_mask(grid_height, grid_width, target, options.exact, rng);
    if (options.circular_shift) {
      Grid grid{grid_height, grid_width, std::move(mask)};
      roll(grid, rng);
      mask = std::move(grid.cells);
    }
    masks.upper_bound += most;
  }
  rng.shuffle(std::span(drawn));
  masks.masked.reserve(drawn.size() * static_cast<std::size_t>(patches));
  for (const auto& mask : drawn) {
    if (mask.empty())
      masks.masked.insert(masks.masked.end(), static_cast<std::size_t>(patches), 0);
    else
      masks.masked.insert(masks.masked.end(), mask.begin(), mask.end());
  }
  list_masked(masks);
  return masks;
}

}  // namespace dino::data
