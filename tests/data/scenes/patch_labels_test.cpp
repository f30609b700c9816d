#include "dino/data/scenes/patch_labels.h"

#include <gtest/gtest.h>

#include "dino/base/error.h"
#include "dino/base/rng.h"

namespace dino::data {
namespace {

using Labels = std::vector<std::uint8_t>;

TEST(PatchLabels, AreThoseOfTheMajority) {
  image::Image map(4, 4, 1);
  map.pixels = {1, 1, 2, 2,  //
                1, 3, 3, 2,  //
                0, 0, 5, 4,  //
                9, 9, 4, 5};
  EXPECT_EQ(patch_labels(map, 2, 2), (Labels{1, 2, 0, 4}));  // ties: the smaller
  EXPECT_EQ(patch_labels(map, 4, 4), map.pixels);
  EXPECT_EQ(patch_labels(map, 1, 1), (Labels{1}));  // as often as 2
}

/** Cells of 10 / 3 px: px 3 has its center at 3.5, in the second. */
TEST(PatchLabels, APixelIsInTheCellOfItsCenter) {
  image::Image map(10, 1, 1);
  map.pixels = {7, 7, 7, 8, 8, 8, 9, 9, 9, 9};
  EXPECT_EQ(patch_labels(map, 1, 3), (Labels{7, 8, 9}));
  map.pixels = {7, 0, 0, 8, 0, 0, 8, 0, 0, 0};
  EXPECT_EQ(patch_labels(map, 1, 3), (Labels{0, 0, 0}));
}

TEST(PatchLabels, RefusesWhatIsNoMap) {
  const image::Image map(4, 4, 1);
  EXPECT_THROW(patch_labels(map, 5, 4), Error);
  EXPECT_THROW(patch_labels(map, 4, 0), Error);
  EXPECT_THROW(patch_labels(image::Image(4, 4, 3), 2, 2), Error);
}

}  // namespace
}  // namespace dino::data
