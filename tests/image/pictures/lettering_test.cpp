#include "dino/image/pictures/lettering.h"

#include <gtest/gtest.h>

#include <string>

namespace dino::image {
namespace {

/** Ink as '#', one string per row. */
std::vector<std::string> rows_of(const Image& image) {
  std::vector<std::string> rows;
  for (int y = 0; y < image.height; ++y) {
    rows.emplace_back();
    for (int x = 0; x < image.width; ++x)
      rows.back() += image.row(y)[x * image.channels] > 0 ? '#' : '.';
  }
  return rows;
}

TEST(Text, DrawsLetters) {
  Image image(12, 8, 1);
  draw_text(image, "F7", 0, 0, {255, 255, 255});
  const std::vector<std::string> expected = {"#####.#####.", "#.........#.", "#........#..",
                                             "####....#...", "#......#....", "#......#....",
                                             "#......#....", "............"};
  EXPECT_EQ(rows_of(image), expected);
}

TEST(Text, EveryCharacterIsDrawnAndNoTwoAlike) {
  std::vector<std::vector<std::string>> seen;
  for (char c = '!'; c <= '~'; ++c) {
    Image image(5, 7, 1);
    draw_text(image, std::string(1, c), 0, 0, {255, 255, 255});
    EXPECT_EQ(std::count(seen.begin(), seen.end(), rows_of(image)), 0) << c;
    EXPECT_NE(rows_of(image), rows_of(Image(5, 7, 1))) << c;
    seen.push_back(rows_of(image));
  }
  Image question(5, 7, 1), foreign(5, 7, 1);
  draw_text(question, "?", 0, 0, {255, 255, 255});
  draw_text(foreign, "\xff", 0, 0, {255, 255, 255});
  EXPECT_EQ(question, foreign);
}

TEST(Text, IsCutAtTheBorderAndColored) {
  Image image(4, 3, 3);
  draw_text(image, "HHH", -3, -5, {10, 20, 30}, 2);
  EXPECT_NE(image, Image(4, 3, 3));
  for (std::size_t i = 0; i < image.pixels.size(); i += 3) {
    if (image.pixels[i] == 0) continue;
    EXPECT_EQ(image.pixels[i], 10);
    EXPECT_EQ(image.pixels[i + 2], 30);
  }
}

TEST(Text, BreaksAtSpaces) {
  using Lines = std::vector<std::string>;
  EXPECT_EQ(wrapped("one two three", 8), (Lines{"one two", "three"}));
  EXPECT_EQ(wrapped("one two", 7), (Lines{"one two"}));
  EXPECT_EQ(wrapped("abcdefgh ij", 4), (Lines{"abcd", "efgh", "ij"}));
  EXPECT_EQ(wrapped("", 4), Lines{});
  EXPECT_EQ(wrapped("a", 1), Lines{"a"});
}

}  // namespace
}  // namespace dino::image
