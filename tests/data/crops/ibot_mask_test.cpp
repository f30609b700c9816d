#include "dino/data/crops/ibot_mask.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>

#include "dino/base/error.h"

namespace dino::data {
namespace {

using Mask = std::vector<std::uint8_t>;
using Measures = std::map<std::string, double>;

const nlohmann::json& golden() {
  static const nlohmann::json content = [] {
    std::ifstream file(DINO_SOURCE_DIR "/tests/golden/data/ibot_mask.json");
    return nlohmann::json::parse(file);
  }();
  return content;
}

constexpr MaskOptions kDinov2{.share = 0.5};
constexpr MaskOptions kDinov3{.share = 0.5, .exact = true};

/** What describe() of ibot_mask.py measures. */
Measures describe(const Mask& mask, int height, int width) {
  const auto at = [&](int y, int x) { return mask[static_cast<std::size_t>(y * width + x)]; };
  Measures m{{"masked", 0}, {"pairs_across", 0}, {"pairs_down", 0}, {"squares", 0}};
  int top = height, bottom = -1, left = width, right = -1;
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x) {
      if (!at(y, x)) continue;
      top = std::min(top, y), bottom = std::max(bottom, y);
      left = std::min(left, x), right = std::max(right, x);
      const bool across = x > 0 && at(y, x - 1), down = y > 0 && at(y - 1, x);
      m["masked"] += 1, m["pairs_across"] += across, m["pairs_down"] += down;
      m["squares"] += across && down && at(y - 1, x - 1);
    }
  const int rows = std::max(0, bottom - top + 1), columns = std::max(0, right - left + 1);
  m["rows_spanned"] = rows, m["columns_spanned"] = columns;
  m["log_aspect"] = rows > 0 ? std::log(static_cast<double>(rows) / columns) : 0;
  m["corner"] = at(0, 0), m["middle"] = at(height / 2, width / 2);
  return m;
}

/** Masked patches of each crop. */
std::vector<int> counts(const BatchMasks& masks) {
  const std::size_t patches = static_cast<std::size_t>(masks.grid_height * masks.grid_width);
  std::vector<int> result;
  for (auto row = masks.masked.begin(); row != masks.masked.end();
       row += static_cast<std::ptrdiff_t>(patches))
    result.push_back(std::accumulate(row, row + static_cast<std::ptrdiff_t>(patches), 0));
  return result;
}

/** What describe_batch() of ibot_mask.py measures. */
Measures describe_batch(const BatchMasks& masks) {
  const std::vector<int> all = counts(masks);
  Measures m{{"masked", 0}, {"squared", 0}, {"images_masked_twice", 0}};
  int smallest = 1 << 30;
  for (std::size_t i = 0; i < all.size(); ++i) {
    m["masked"] += all[i], m["squared"] += all[i] * all[i];
    if (all[i] > 0) smallest = std::min(smallest, all[i]);
    if (i < all.size() / 2) m["images_masked_twice"] += all[i] > 0 && all[i + all.size() / 2] > 0;
  }
  m["largest"] = *std::ranges::max_element(all);
  m["smallest_of_masked"] = m["masked"] > 0 ? smallest : 0;
  m["short_of_bound"] = static_cast<double>(masks.upper_bound) - m["masked"];
  return m;
}

/** Compares the means of our draws with the package's. Both sides are estimates: four standard
 * errors of their difference, fixed seed. */
template <typename Draw>
void expect_same_means(const nlohmann::json& expected, int draws, const Draw& draw) {
  Measures sums;
  for (int i = 0; i < draws; ++i)
    for (const auto& [name, value] : draw(i)) sums[name] += value;
  ASSERT_EQ(sums.size(), expected["mean"].size());
  for (const auto& [name, sum] : sums) {
    const double mean = expected["mean"][name], deviation = expected["deviation"][name];
    const double theirs = expected["draws"];
    const double tolerance = 4 * deviation * std::sqrt(1.0 / draws + 1.0 / theirs) + 1e-9;
    EXPECT_NEAR(sum / draws, mean, tolerance) << name;
  }
}

TEST(IbotMask, BlocksAreDrawnAsByThePackageDinov2) {
  ASSERT_GE(golden()["masks"].size(), 10U);
  for (const auto& expected : golden()["masks"]) {
    const int height = expected["grid"][0], width = expected["grid"][1];
    SCOPED_TRACE(expected["grid"].dump() + " " + expected["target"].dump());
    expect_same_means(expected, 10'000, [&](int i) {
      Rng rng(7, 0, static_cast<std::uint64_t>(i));
      return describe(draw_mask(height, width, expected["target"], false, rng), height, width);
    });
  }
}

TEST(IbotMask, BatchesAreDrawnAsByThePackageDinov2) {
  ASSERT_GE(golden()["batches"].size(), 10U);
  for (const auto& expected : golden()["batches"]) {
    const int images = expected["images"], side = expected["side"];
    SCOPED_TRACE(fmt::format("{} images, {} patches a side", images, side));
    const MaskOptions options{.share = expected["share"], .ratio = expected["ratio"]};
    expect_same_means(expected, expected["draws"], [&](int i) {
      return describe_batch(
          draw_masks(2 * images, side, side, options, Rng(8, static_cast<std::uint64_t>(i))));
    });
  }
}

TEST(IbotMask, TheUpperBoundEqualsThePackages) {
  ASSERT_GT(golden()["bounds"].size(), 300U);
  for (const auto& row : golden()["bounds"]) {
    const int images = row[0], side = row[1];
    const BatchMasks masks = draw_masks(
        2 * images, side, side,
        {.share = row[2], .ratio = {row[3].get<double>(), row[4].get<double>()}}, Rng(0));
    EXPECT_EQ(masks.upper_bound, row[5].get<std::int64_t>()) << row.dump();
  }
  // Published sizes: batch 64 of 14 x 14 patches, 32 and 16 of 16 x 16.
  EXPECT_EQ(draw_masks(128, 14, 14, kDinov2, Rng(0)).upper_bound, 3771);
  EXPECT_EQ(draw_masks(64, 16, 16, kDinov2, Rng(0)).upper_bound, 2496);
  EXPECT_EQ(draw_masks(32, 16, 16, kDinov2, Rng(0)).upper_bound, 1274);
}

TEST(IbotMask, Dinov2MasksHalfTheCropsWithStratifiedRatios) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const int images = 1 + static_cast<int>(seed % 20), side = 14;
    const BatchMasks masks = draw_masks(2 * images, side, side, kDinov2, Rng(seed));
    ASSERT_EQ(masks.masked.size(), static_cast<std::size_t>(2 * images * side * side));
    std::vector<int> all = counts(masks);
    std::ranges::sort(all);
    EXPECT_LE(static_cast<std::int64_t>(masks.indices.size()), masks.upper_bound);
    for (int i = 0; i < images; ++i) {
      EXPECT_EQ(all[static_cast<std::size_t>(i)], 0);
      // Falling short of the drawn count is rare, and by very few patches.
      const double low = 0.1 + 0.4 * i / images, high = 0.1 + 0.4 * (i + 1) / images;
      const int masked = all[static_cast<std::size_t>(images + i)];
      EXPECT_GE(masked, std::floor(196 * low) - 3);
      EXPECT_LE(masked, 196 * high);
    }
  }
}

TEST(IbotMask, Dinov3CountsAreTheSameInEveryBatch) {
  for (const int side : {14, 16, 32, 48})
    for (std::uint64_t seed = 0; seed < 40; ++seed) {
      const BatchMasks masks = draw_masks(32, side, side, kDinov3, Rng(seed));
      EXPECT_EQ(static_cast<std::int64_t>(masks.indices.size()), masks.upper_bound);
      std::vector<int> all = counts(masks);
      std::ranges::sort(all);
      for (int i = 0; i < 16; ++i) {
        const double expected = side * side * (0.1 + 0.4 * (i + 1) / 16);
        EXPECT_NEAR(all[static_cast<std::size_t>(16 + i)], expected, 1) << side << ' ' << i;
        EXPECT_EQ(all[static_cast<std::size_t>(i)], 0);
      }
    }
}

TEST(IbotMask, IndicesAndWeightsFollowFromTheMask) {
  const BatchMasks masks = draw_masks(24, 7, 9, kDinov2, Rng(4));
  EXPECT_EQ(masks.grid_height, 7);
  EXPECT_EQ(masks.grid_width, 9);
  ASSERT_EQ(masks.weights.size(), masks.indices.size());
  EXPECT_TRUE(std::ranges::is_sorted(masks.indices));
  EXPECT_EQ(static_cast<std::int64_t>(masks.indices.size()),
            std::ranges::count(masks.masked, std::uint8_t{1}));
  const std::vector<int> all = counts(masks);
  std::map<std::int64_t, double> sums;
  for (std::size_t j = 0; j < masks.indices.size(); ++j) {
    EXPECT_EQ(masks.masked[static_cast<std::size_t>(masks.indices[j])], 1);
    const std::int64_t crop = masks.indices[j] / 63;
    EXPECT_FLOAT_EQ(masks.weights[j], 1 / static_cast<float>(all[static_cast<std::size_t>(crop)]));
    sums[crop] += static_cast<double>(masks.weights[j]);
  }
  EXPECT_EQ(sums.size(), 12U);
  for (const auto& [crop, sum] : sums) EXPECT_NEAR(sum, 1, 1e-5) << crop;
}

TEST(IbotMask, MasksBelongToNoViewInParticular) {
  constexpr int kDraws = 2000, kCrops = 8;
  std::vector<double> masked(kCrops);
  for (int i = 0; i < kDraws; ++i) {
    const auto all =
        counts(draw_masks(kCrops, 6, 6, kDinov2, Rng(3, static_cast<std::uint64_t>(i))));
    for (std::size_t crop = 0; crop < kCrops; ++crop) masked[crop] += all[crop] > 0;
  }
  for (const double count : masked)
    EXPECT_NEAR(count / kDraws, 0.5, 3.5 * std::sqrt(0.25 / kDraws));
}

TEST(IbotMask, ACircularShiftSpreadsMasksEvenly) {
  constexpr int kDraws = 4000;
  MaskOptions options{.share = 1, .ratio = {0.3, 0.3}, .exact = true, .circular_shift = true};
  const auto corner_share = [&] {
    double corner = 0;
    for (int i = 0; i < kDraws; ++i)
      corner += draw_masks(2, 6, 10, options, Rng(5, static_cast<std::uint64_t>(i))).masked[0];
    return corner / kDraws;
  };
  EXPECT_NEAR(corner_share(), 18.0 / 60, 3.5 * std::sqrt(0.21 / kDraws));
  options.circular_shift = false;
  EXPECT_LT(corner_share(), 0.25) << "blocks reach corners less often";
}

TEST(IbotMask, AnyGridAndAnyRatioWork) {
  for (const auto& [height, width] : {std::pair{1, 1}, {1, 20}, {20, 1}, {2, 2}, {3, 5}, {64, 64}})
    for (const double ratio : {0.0, 0.5, 1.0}) {
      const int patches = height * width;
      const MaskOptions exact{.share = 1, .ratio = {ratio, ratio}, .exact = true};
      const auto masks = draw_masks(2, height, width, exact, Rng(1));
      for (const int count : counts(masks)) EXPECT_EQ(count, static_cast<int>(ratio * patches));
      EXPECT_LE(draw_masks(2, height, width, {.share = 1, .ratio = {ratio, ratio}}, Rng(1))
                    .indices.size(),
                masks.indices.size());
    }
  EXPECT_TRUE(draw_masks(2, 4, 4, {.share = 0.4}, Rng(0)).indices.empty()) << "0.8 of a crop";
  EXPECT_EQ(draw_masks(2, 4, 4, {.share = 0.4}, Rng(0)).masked, Mask(32, 0));
}

TEST(IbotMask, EqualStreamsGiveEqualMasks) {
  EXPECT_EQ(draw_masks(8, 14, 14, kDinov3, Rng(2, 5)), draw_masks(8, 14, 14, kDinov3, Rng(2, 5)));
  EXPECT_NE(draw_masks(8, 14, 14, kDinov3, Rng(2, 5)).masked,
            draw_masks(8, 14, 14, kDinov3, Rng(2, 6)).masked);
}

TEST(IbotMask, ValidateNamesTheKey) {
  const auto refusal = [](const MaskOptions& options) -> std::string {
    try {
      validate(options);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::Config);
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(refusal({}), "");
  EXPECT_NE(refusal({.share = 1.5}).find("masks.share = 1.5"), std::string::npos);
  EXPECT_NE(refusal({.share = 0.5, .ratio = {0.5, 0.1}}).find("masks.ratio"), std::string::npos);
}

}  // namespace
}  // namespace dino::data
