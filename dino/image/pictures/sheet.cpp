#include "dino/image/pictures/sheet.h"

#include <algorithm>

#include "dino/base/error.h"
#include "dino/image/pictures/draw.h"
#include "dino/image/pictures/lettering.h"

namespace dino::image {
namespace {

constexpr int kFrame = 3;  // px
constexpr int kGap = 4;    // px
constexpr Color kGood = {46, 160, 67}, kBad = {218, 54, 51}, kPaper = {255, 255, 255};
constexpr Color kInk = {40, 40, 40};

Image framed(const Image& image, Mark mark) {
  const Color color = mark == Mark::Good ? kGood : mark == Mark::Bad ? kBad : kPaper;
  Image out = filled(image.width + 2 * kFrame, image.height + 2 * kFrame, 3, color);
  paste(out, image, kFrame, kFrame);
  return out;
}

/** Text below or above cells of one width, scaled and broken into lines. */
struct Lettering {
  int cell_width;
  int scale = std::max(1, cell_width / 120);

  std::vector<std::string> lines(const std::string& text) const {
    return wrapped(text, std::max(1, cell_width / (kCharacterWidth * scale)));
  }
  /** px that the longest of the texts needs. */
  template <typename Texts, typename Of>
  int height(const Texts& texts, Of of) const {
    std::size_t most = 0;
    for (const auto& text : texts) most = std::max(most, lines(of(text)).size());
    return static_cast<int>(most) * kLineHeight * scale;
  }
  void draw(Image& on, const std::string& text, int x, int y) const {
    for (const std::string& line : lines(text)) {
      draw_text(on, line, x, y, kInk, scale);
      y += kLineHeight * scale;
    }
  }
};

/** Arranges the cells in rows of `sheet.columns`, each centered, with captions and titles. */
Image lay_out(const Sheet& sheet, const std::vector<Image>& cells) {
  int width = 1, height = 1;
  for (const Image& cell : cells) {
    width = std::max(width, cell.width);
    height = std::max(height, cell.height);
  }
  const Lettering letters{width};
  const int head = letters.height(sheet.column_titles, [](const auto& title) { return title; });
  const int foot = letters.height(sheet.tiles, [](const auto& tile) { return tile.caption; });
  const int count = static_cast<int>(cells.size());
  const int columns = std::min(sheet.columns, count);
  const int rows = (count + columns - 1) / columns;
  const int step_x = width + kGap, step_y = height + foot + kGap;
  Image picture = filled(columns * step_x + kGap, head + rows * step_y + kGap, 3, kPaper);
  for (int i = 0; i < columns && head > 0; ++i)
    letters.draw(picture, sheet.column_titles[static_cast<std::size_t>(i)], kGap + i * step_x,
                 kGap);
  for (int i = 0; i < count; ++i) {
    const Image& cell = cells[static_cast<std::size_t>(i)];
    const int x = kGap + i % columns * step_x, y = head + kGap + i / columns * step_y;
    paste(picture, cell, x + (width - cell.width) / 2, y + (height - cell.height) / 2);
    letters.draw(picture, sheet.tiles[static_cast<std::size_t>(i)].caption, x, y + height + 2);
  }
  return picture;
}

}  // namespace

Image render(const Sheet& sheet, int tile_px) {
  if (sheet.tiles.empty() || sheet.columns < 1)
    fail(ErrorKind::Usage, "[render] the sheet \"{}\" has no tiles or no columns", sheet.title);
  const bool marked = std::any_of(sheet.tiles.begin(), sheet.tiles.end(),
                                  [](const Tile& tile) { return tile.mark != Mark::None; });
  // A small map beside a large image is enlarged to the image's size.
  int target = tile_px;
  for (const Tile& tile : sheet.tiles)
    target = std::max({target, tile.image.width, tile.image.height});
  std::vector<Image> cells;
  cells.reserve(sheet.tiles.size());
  for (const Tile& tile : sheet.tiles) {
    const int side = std::max({tile.image.width, tile.image.height, 1});
    Image cell = enlarge(tile.image, target / side);
    cells.push_back(marked ? framed(cell, tile.mark) : std::move(cell));
  }
  return lay_out(sheet, cells);
}

}  // namespace dino::image
