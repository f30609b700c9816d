// What is drawn for the crops of the recipes in recipes/crops, over 10,000 draws per kind of view:
// frequencies within three standard errors, parameters uniform by a Kolmogorov-Smirnov test of the
// same strictness. Fixed seeds: these cannot fail by chance.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "dino/data/crops/views.h"
#include "dino/recipe/recipe.h"

namespace dino::data {
namespace {

constexpr int kDraws = 10'000;

MultiCropOptions crops_of(const std::string& name) {
  return recipe::load_recipe(DINO_SOURCE_DIR "/recipes/crops/" + name + ".toml").crops;
}

void expect_share(double count, double draws, double p, const char* what) {
  EXPECT_NEAR(count / draws, p, 3 * std::sqrt(p * (1 - p) / draws)) << what;
}

/** P(D > 1.82 / sqrt(n)) is that of three standard deviations, 0.0027. */
void expect_uniform(std::vector<double> values, double low, double high, const char* what) {
  std::ranges::sort(values);
  const double n = static_cast<double>(values.size());
  double distance = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double share = (values[i] - low) / (high - low), rank = static_cast<double>(i);
    distance = std::max({distance, share - rank / n, (rank + 1) / n - share});
  }
  ASSERT_GT(n, 100) << what;
  EXPECT_GE(values.front(), low) << what;
  EXPECT_LE(values.back(), high) << what;
  EXPECT_LT(distance, 1.82 / std::sqrt(n)) << what;
}

struct Expected {
  const char* recipe;
  std::array<double, 3> blur;
  double flip;
  int global, local;
};

class CropStatistics : public testing::TestWithParam<Expected> {};

TEST_P(CropStatistics, AreTheReferences) {
  const MultiCropOptions options = crops_of(GetParam().recipe);
  for (const int view : {0, 1, 2, 9}) {
    SCOPED_TRACE(view);
    const auto kind = static_cast<std::size_t>(std::min(view, 2));
    double flipped = 0, jittered = 0, grayscaled = 0, blurred = 0, solarized = 0;
    std::map<std::string, std::vector<double>> drawn;
    std::map<std::array<int, 4>, int> orders;
    for (int i = 0; i < kDraws; ++i) {
      const CropRecord r =
          draw_crop(500, 375, view, options,
                    Rng(3, 0, static_cast<std::uint64_t>(i), static_cast<std::uint64_t>(view)));
      EXPECT_EQ(r.size, view < 2 ? GetParam().global : GetParam().local);
      flipped += r.flipped, jittered += r.colors.jittered, grayscaled += r.colors.grayscaled;
      blurred += r.colors.blurred, solarized += r.colors.solarized;
      if (r.colors.blurred) drawn["blur"].push_back(r.colors.blur_radius);
      if (!r.colors.jittered) continue;
      drawn["brightness"].push_back(r.colors.brightness);
      drawn["contrast"].push_back(r.colors.contrast);
      drawn["saturation"].push_back(r.colors.saturation);
      drawn["hue"].push_back(r.colors.hue);
      ++orders[r.colors.order];
    }
    expect_share(flipped, kDraws, GetParam().flip, "flip");
    expect_share(jittered, kDraws, 0.8, "jitter");
    expect_share(grayscaled, kDraws, 0.2, "gray");
    expect_share(blurred, kDraws, GetParam().blur[kind], "blur");
    expect_share(solarized, kDraws, kind == 1 ? 0.2 : 0.0, "solarize");
    expect_uniform(drawn["brightness"], 0.6, 1.4, "brightness");
    expect_uniform(drawn["contrast"], 0.6, 1.4, "contrast");
    expect_uniform(drawn["saturation"], 0.8, 1.2, "saturation");
    expect_uniform(drawn["hue"], -0.1, 0.1, "hue");
    if (blurred > 0) expect_uniform(drawn["blur"], 0.1, 2.0, "blur");
    EXPECT_EQ(orders.size(), 24U);
    double chi_squared = 0;
    for (const auto& [order, count] : orders) {
      const double mean = jittered / 24;
      chi_squared += (count - mean) * (count - mean) / mean;
    }
    EXPECT_LT(chi_squared, 23 + 3 * std::sqrt(2.0 * 23)) << "all 24 orders alike";
  }
}

INSTANTIATE_TEST_SUITE_P(Families, CropStatistics,
                         testing::Values(Expected{"dino", {1.0, 0.1, 0.5}, 0.5, 224, 96},
                                         Expected{"dinov2", {0.0, 0.9, 0.5}, 0.5, 224, 98},
                                         Expected{"dinov3", {0.0, 0.9, 0.5}, 0.0, 256, 112},
                                         Expected{"dinov3_gram", {0.0, 0.9, 0.5}, 0.0, 256, 112}),
                         [](const auto& family) { return std::string(family.param.recipe); });

/** The package dinov2 counted its own operations: tests/golden/data/crop_pipelines.py. */
TEST(CropFrequencies, OfDinov2AreThoseOfThePackage) {
  std::ifstream file(DINO_SOURCE_DIR "/tests/golden/data/crop_pipelines.json");
  const auto frequencies = nlohmann::json::parse(file)["frequencies"];
  const double draws = frequencies["draws"];
  const MultiCropOptions options = crops_of("dinov2");
  for (const auto& [kind, counts] : frequencies["counts"].items()) {
    SCOPED_TRACE(kind);
    const auto index = kind == "global 1" ? 0U : kind == "global 2" ? 1U : 2U;
    expect_share(counts["flipped"], draws, options.horizontal_flip, "flip");
    expect_share(counts["jittered"], draws, options.jitter, "jitter");
    expect_share(counts["grayscaled"], draws, options.grayscale, "gray");
    expect_share(counts["blurred"], draws, options.blur[index], "blur");
    expect_share(counts["solarized"], draws, options.solarize[index], "solarize");
  }
}

}  // namespace
}  // namespace dino::data
