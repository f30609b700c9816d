// Against torchvision in tests/data/prepare/preprocess_test.cpp; here what needs no oracle.
#include "dino/image/pixels/resize_float.h"

#include <gtest/gtest.h>

#include "dino/base/error.h"
#include "tests/image/synthetic.h"

namespace dino::image {
namespace {

TEST(ResizeFloat, IsTheEightBitResultBeforeRounding) {
  const Image source = synthetic(61, 43, 3, 5);
  // Filters with negative lobes overshoot between the passes, where 8 bits are clipped.
  for (const Filter filter : {Filter::Nearest, Filter::Bilinear})
    for (const auto& [width, height] :
         {std::pair{20, 30}, {61, 17}, {80, 43}, {9, 100}, {61, 43}}) {
      const Image bytes = resize(source, width, height, filter);
      const Planes planes = resize_to_floats(source, width, height, filter);
      ASSERT_EQ(planes.width, width);
      ASSERT_EQ(planes.height, height);
      for (int y = 0; y < height; ++y)
        for (int x = 0; x < width; ++x)
          for (int c = 0; c < 3; ++c)
            ASSERT_NEAR(planes.row(c, y)[x] * 255, static_cast<float>(bytes.row(y)[x * 3 + c]),
                        1.01F);  // two roundings
    }
}

TEST(ResizeFloat, KeepsAFlatImageFlatAndGrayGray) {
  Image flat(50, 40, 1);
  std::fill(flat.pixels.begin(), flat.pixels.end(), std::uint8_t{201});
  for (const int size : {1, 7, 39, 200})
    for (const float value : resize_to_floats(flat, size, size, Filter::Bicubic).values)
      ASSERT_NEAR(value, 201.0F / 255, 1e-6);
}

TEST(ResizeFloat, RefusesEmptyImagesAndTargets) {
  EXPECT_THROW(resize_to_floats(Image{}, 4, 4, Filter::Bilinear), Error);
  EXPECT_THROW(resize_to_floats(Image(4, 4, 1), 0, 4, Filter::Bilinear), Error);
}

}  // namespace
}  // namespace dino::image
