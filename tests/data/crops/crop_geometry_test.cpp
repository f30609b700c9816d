#include "dino/data/crops/crop_geometry.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

namespace dino::data {
namespace {

/** The moments are torchvision's (tests/golden/data/crop_geometry.py). Both sides are estimates:
 * five standard errors of their difference, 48 comparisons, fixed seed. */
TEST(CropGeometry, DistributionEqualsTorchvision) {
  std::ifstream file(DINO_SOURCE_DIR "/tests/golden/data/crop_geometry.json");
  const auto cases = nlohmann::json::parse(file);
  ASSERT_EQ(cases.size(), 6u);
  constexpr int kDraws = 40'000;
  for (const auto& expected : cases) {
    const int width = expected["image"][0], height = expected["image"][1];
    const std::array<double, 2> scale = expected["scale"];
    SCOPED_TRACE(expected["image"].dump() + expected["scale"].dump());
    std::map<std::string, double> sum;
    for (int i = 0; i < kDraws; ++i) {
      Rng rng(1, 0, static_cast<std::uint64_t>(i));
      const CropBox box = random_resized_crop(width, height, scale, rng);
      ASSERT_TRUE(box.left >= 0 && box.top >= 0 && box.width > 0 && box.height > 0 &&
                  box.left + box.width <= width && box.top + box.height <= height);
      const double pixels = static_cast<double>(box.width) * box.height;
      const double area = pixels / (width * height);
      sum["left"] += box.left, sum["top"] += box.top;
      sum["width"] += box.width, sum["height"] += box.height;
      sum["area"] += area, sum["area_squared"] += area * area;
      sum["log_ratio"] += std::log(static_cast<double>(box.width) / box.height);
      sum["width_times_height"] += pixels;
    }
    for (const auto& [name, total] : sum) {
      const double deviation = expected["deviation"][name], draws = expected["draws"];
      const double tolerance = 5 * deviation * std::sqrt(1.0 / kDraws + 1.0 / draws) + 1e-9;
      EXPECT_NEAR(total / kDraws, expected["mean"][name].get<double>(), tolerance) << name;
    }
  }
}

TEST(CropGeometry, NarrowImagesGetTheLargestCenteredBox) {
  Rng rng(0);
  // A scale of exactly 1 never fits a 4:1 image at a ratio of at most 4/3.
  const CropBox wide = random_resized_crop(400, 100, {1.0, 1.0}, rng);
  EXPECT_EQ(wide.width, 133);
  EXPECT_EQ(wide.height, 100);
  EXPECT_EQ(wide.left, 133);
  EXPECT_EQ(wide.top, 0);
  const CropBox tall = random_resized_crop(30, 400, {1.0, 1.0}, rng);
  EXPECT_EQ(tall.width, 30);
  EXPECT_EQ(tall.height, 40);
  EXPECT_EQ(tall.top, 180);
}

TEST(CropGeometry, OnePixelImagesWork) {
  for (int i = 0; i < 100; ++i) {
    Rng rng(0, 0, static_cast<std::uint64_t>(i));
    const CropBox box = random_resized_crop(1, 1, {0.05, 0.4}, rng);
    EXPECT_EQ(box.width, 1);
    EXPECT_EQ(box.height, 1);
  }
}

}  // namespace
}  // namespace dino::data
