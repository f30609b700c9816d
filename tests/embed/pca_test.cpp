#include "dino/embed/pca.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include "dino/base/error.h"

namespace dino::embed {
namespace {

TEST(Pca, FindsPlantedDirections) {
  torch::manual_seed(0);
  const auto basis = std::get<0>(torch::linalg_qr(torch::randn({10, 10}, torch::kFloat64)));
  const auto spread =
      torch::tensor({9.0, 4.0, 1.0, .01, .01, .01, .01, .01, .01, .01}, torch::kFloat64);
  const auto rows =
      torch::matmul(torch::randn({4000, 10}, torch::kFloat64) * spread, basis.t()) + 5;
  const auto pca = fit_pca(rows, 3);
  for (std::int64_t i = 0; i < 3; ++i)
    EXPECT_GT(pca.components[i].dot(basis.select(1, i)).abs().item<double>(), 0.99) << i;
  EXPECT_TRUE(torch::allclose(torch::matmul(pca.components, pca.components.t()),
                              torch::eye(3, torch::kFloat64)));
  // Against singular values, another route to the same variances.
  const auto singular = std::get<1>(torch::svd(rows - rows.mean(0)));
  const auto share = singular.square() / singular.square().sum();
  EXPECT_TRUE(torch::allclose(pca.explained, share.narrow(0, 0, 3), 1e-9, 1e-9));
}

TEST(Pca, SignDoesNotDependOnTheData) {
  torch::manual_seed(1);
  const auto rows = torch::randn({50, 6});
  const auto pca = fit_pca(rows), mirrored = fit_pca(-rows);
  EXPECT_TRUE(torch::allclose(pca.components, mirrored.components, 1e-6, 1e-9));
  for (std::int64_t i = 0; i < 3; ++i)
    EXPECT_GT(pca.components[i][pca.components[i].abs().argmax()].item<double>(), 0);
}

TEST(Pca, PlantedPartsGetOneColorAcrossImages) {
  torch::manual_seed(2);
  const auto parts = torch::randn({3, 16}) * 5;
  const auto assignment = torch::randint(0, 3, {2 * 6 * 6});  // two images of 6 x 6 patches
  const auto rows = parts.index_select(0, assignment) + 0.01 * torch::randn({72, 16});
  const auto scores = project(fit_pca(rows), rows);
  const auto range = fit_color_range(scores);
  std::map<std::int64_t, std::array<int, 3>> color;
  for (std::int64_t image = 0; image < 2; ++image) {
    const auto rgb = to_rgb(scores.narrow(0, 36 * image, 36).view({6, 6, 3}), range);
    for (std::int64_t p = 0; p < 36; ++p) {
      const auto part = assignment[36 * image + p].item<std::int64_t>();
      for (std::size_t c = 0; c < 2; ++c) {  // the third component of three points is noise
        const int value = rgb.pixels[static_cast<std::size_t>(3 * p) + c];
        const auto [known, fresh] = color.try_emplace(part, std::array<int, 3>{-1, -1, -1});
        if (known->second[c] < 0) known->second[c] = value;
        EXPECT_NEAR(known->second[c], value, 4);
      }
    }
  }
  EXPECT_EQ(color.size(), 3U);
}

TEST(Pca, DegenerateInputs) {
  EXPECT_THROW(fit_pca(torch::ones({1, 4})), Error);
  EXPECT_THROW(fit_pca(torch::full({4, 4}, NAN)), Error);
  const auto constant =
      fit_pca(torch::ones({5, 4}));  // a collapsed network: no variance, but no NaN either
  EXPECT_TRUE(constant.explained.isfinite().all().item<bool>());
  const auto scores = project(constant, torch::ones({2, 2, 4}));
  const auto rgb = to_rgb(scores, fit_color_range(scores.flatten(0, 1)));
  EXPECT_EQ(rgb.width, 2);
  EXPECT_EQ(fit_pca(torch::randn({5, 2}), 3).components.size(0), 2);
}

TEST(ColorRange, IgnoresOutliers) {
  auto scores = torch::linspace(0, 1, 1000, torch::kFloat64).unsqueeze(1).expand({1000, 3}).clone();
  scores[0].fill_(-1000);
  scores[999].fill_(1000);
  const auto range = fit_color_range(scores, 0.01);
  EXPECT_NEAR(range.low[0].item<double>(), 0.01, 2e-3);
  EXPECT_NEAR(range.high[2].item<double>(), 0.99, 2e-3);
}

}  // namespace
}  // namespace dino::embed
