#include "dino/data/scenes/patch_labels.h"

#include <algorithm>
#include <array>

#include "dino/base/error.h"

namespace dino::data {

std::vector<std::uint8_t> patch_labels(const image::Image& map, int rows, int columns) {
  if (map.channels != 1 || rows < 1 || columns < 1 || rows > map.height || columns > map.width)
    fail(ErrorKind::Usage, "[scenes] no {} x {} patches in a map of {} x {} px, {} channels", rows,
         columns, map.height, map.width, map.channels);
  // The cell of px i of `length`, of `cells`: that of its center, (2 i + 1) / 2.
  const auto cell_of = [](int i, int length, int cells) {
    return (2 * i + 1) * std::int64_t{cells} / (2 * std::int64_t{length});
  };
  std::vector<std::array<std::int64_t, 256>> votes(static_cast<std::size_t>(rows) *
                                                   static_cast<std::size_t>(columns));
  for (int y = 0; y < map.height; ++y)
    for (int x = 0; x < map.width; ++x) {
      const std::int64_t cell =
          cell_of(y, map.height, rows) * columns + cell_of(x, map.width, columns);
      ++votes[static_cast<std::size_t>(cell)][map.row(y)[x]];
    }
  std::vector<std::uint8_t> labels;
  for (const auto& of_cell : votes)
    labels.push_back(
        static_cast<std::uint8_t>(std::ranges::max_element(of_cell) - of_cell.begin()));
  return labels;
}

}  // namespace dino::data
