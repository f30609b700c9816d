// Against Pillow's thumbnail() in tests/data/prepare/preprocess_test.cpp; here what needs no
// oracle.
#include "dino/image/pixels/reduce.h"

#include <gtest/gtest.h>

#include "dino/base/error.h"
#include "tests/image/synthetic.h"

namespace dino::image {
namespace {

TEST(Reduce, AveragesBlocksAndWhatIsLeftAtTheBorder) {
  Image source(3, 2, 1);
  source.pixels = {10, 21, 40, 30, 42, 51};
  const Image half = reduce(source, 2, 2);
  EXPECT_EQ(half.width, 2);
  EXPECT_EQ(half.height, 1);
  EXPECT_EQ(half.pixels, (std::vector<std::uint8_t>{26, 46}));  // 25.75; 45.5 rounds up
  EXPECT_EQ(reduce(source, 1, 1), source);
}

TEST(Reduce, OnlyWhereMuchIsLost) {
  const Image source = synthetic(64, 48, 3, 3);
  EXPECT_EQ(resize_reduced(source, 20, 20, Filter::Lanczos),
            resize(source, 20, 20, Filter::Lanczos));
  EXPECT_NE(resize_reduced(source, 12, 9, Filter::Lanczos), resize(source, 12, 9, Filter::Lanczos));
}

TEST(Reduce, RefusesNonsense) {
  EXPECT_THROW(reduce(Image{}, 2, 2), Error);
  EXPECT_THROW(reduce(Image(2, 2, 1), 0, 1), Error);
  EXPECT_THROW(resize_reduced(Image(2, 2, 1), 0, 1, Filter::Bilinear), Error);
}

}  // namespace
}  // namespace dino::image
