#include "dino/data/prepare/normalizer.h"

#include <gtest/gtest.h>

namespace dino::data {
namespace {

TEST(Normalizer, SplitsChannels) {
  image::Image image(2, 1, 3);
  image.pixels = {0, 51, 255, 102, 204, 153};
  const std::vector<double> mean = {0.485, 0.456, 0.406}, std = {0.229, 0.224, 0.225};
  float out[6];
  Normalizer(mean, std)(image, out);
  const double expected[6] = {0.0, 0.4, 0.2, 0.8, 1.0, 0.6};  // [C, H, W]
  for (std::size_t i = 0; i < 6; ++i)
    EXPECT_FLOAT_EQ(out[i], static_cast<float>((expected[i] - mean[i / 2]) / std[i / 2]));
}

}  // namespace
}  // namespace dino::data
