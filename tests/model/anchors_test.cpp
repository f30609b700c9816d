// The published numbers of DINOv3, for whoever has the weights: DINO_ANCHORS names a folder with
// the released files, under their own names, and the image they were computed on (val2017
// 000000039769.jpg of COCO). Values: first five of CLS and of patch 0, from the table of the
// released converter.
#include <gtest/gtest.h>
#include <torch/types.h>

#include <array>
#include <cstdlib>
#include <filesystem>

#include "dino/dino.h"

namespace dino {
namespace {

struct Anchor {
  const char* stem;  // how the file's name begins
  std::array<double, 5> cls, patch;
};

constexpr double kTolerance = 1e-3;  // the table's own
constexpr std::array<Anchor, 12> kAnchors = {{
    {"dinov3_vits16_pretrain_lvd1689m",
     {0.463561, -0.415609, 0.408236, -0.126613, -0.286636},
     {-0.038754, -0.250895, -0.016392, -0.455473, 0.571582}},
    {"dinov3_vits16plus_pretrain_lvd1689m",
     {-0.471349, -1.365778, -0.317983, 0.377219, -0.769085},
     {0.144551, -0.388117, -0.393433, -0.157695, -0.600380}},
    {"dinov3_vitb16_pretrain_lvd1689m",
     {1.034643, -0.180609, -0.341018, -0.066376, -0.011383},
     {-0.082523, -0.456272, -0.728029, -0.430680, -0.152880}},
    {"dinov3_vitl16_pretrain_lvd1689m",
     {0.484527, -0.582214, 0.480636, 0.592040, 0.945166},
     {-0.211367, -0.490863, -0.257131, 0.101763, 0.154511}},
    {"dinov3_vith16plus_pretrain_lvd1689m",
     {-0.064575, -0.148866, -0.621524, 0.634878, 0.152695},
     {-0.093817, 0.287407, -0.050036, 0.428043, 0.094561}},
    {"dinov3_vit7b16_pretrain_lvd1689m",
     {0.275439, -0.261353, 0.067772, 0.049936, -0.158747},
     {0.044442, -0.052542, 0.070777, -0.065111, -0.026546}},
    {"dinov3_vitl16_pretrain_sat493m",
     {-0.33235, 0.34052, -0.22087, 0.21434, 0.09003},
     {0.18488, 0.30309, -0.20689, 0.12848, 0.06207}},
    {"dinov3_vit7b16_pretrain_sat493m",
     {-0.19779, 0.11819, -0.00581, -0.21055, -0.03971},
     {-0.12423, 0.07879, -0.10057, 0.02835, -0.11727}},
    {"dinov3_convnext_tiny_pretrain_lvd1689m",
     {-6.372119, 1.300791, 2.074303, -0.079975, 0.607205},
     {0.490530, -3.713466, 1.848513, -1.040319, -1.090818}},
    {"dinov3_convnext_small_pretrain_lvd1689m",
     {-0.903914, 1.412183, 0.287465, 0.175296, -2.397940},
     {-1.081114, 0.637362, 3.748765, 0.170179, 1.445153}},
    {"dinov3_convnext_base_pretrain_lvd1689m",
     {0.155366, -0.378771, -0.735157, -2.818718, 0.015095},
     {3.039118, 0.778155, -1.961322, -1.607147, -2.411941}},
    {"dinov3_convnext_large_pretrain_lvd1689m",
     {-2.219094, -0.594451, -2.300294, -0.957415, -0.520473},
     {-1.477349, -0.217038, -3.128137, 0.418962, 0.334949}},
}};

std::optional<std::filesystem::path> file_of(const std::filesystem::path& folder,
                                             const std::string& stem) {
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.path().filename().string().starts_with(stem)) return entry.path();
  return std::nullopt;
}

TEST(AnchorsSlow, PublishedNumbersOfDinov3) {
  const char* folder = std::getenv("DINO_ANCHORS");
  if (folder == nullptr) GTEST_SKIP() << "set DINO_ANCHORS to a folder with the released weights";
  const auto picture = file_of(folder, "000000039769");
  ASSERT_TRUE(picture) << "the folder lacks 000000039769.jpg";
  const auto image = image::decode_file(*picture, 3);
  // Squares of 224 px, resized as floats; ImageNet's statistics for the satellite weights too.
  const data::Preprocess preprocess{.image_size = 224,
                                    .fit = data::Fit::Stretch,
                                    .filter = image::Filter::Bilinear,
                                    .resize_floats = true};
  int found = 0;
  for (const Anchor& anchor : kAnchors) {
    const auto file = file_of(folder, anchor.stem);
    if (!file) continue;
    ++found;
    SCOPED_TRACE(anchor.stem);
    FeatureExtractor dino(*file);
    dino.set_preprocess(preprocess);
    const Features features = dino.features(image);
    for (int i = 0; i < 5; ++i) {
      const auto at = static_cast<std::size_t>(i);
      EXPECT_NEAR(features.cls[0][i].item<double>(), anchor.cls[at], kTolerance) << "CLS " << i;
      EXPECT_NEAR(features.patches[0][0][i].item<double>(), anchor.patch[at], kTolerance)
          << "patch 0, " << i;
    }
  }
  EXPECT_GT(found, 0) << "no file of DINOv3 in the folder";
}

}  // namespace
}  // namespace dino
