// The KoLeo loss against a plain float64 reading (tests/golden/loss/make_spread.py), and what must
// hold for any features.
#include "dino/loss/koleo.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "dino/base/error.h"

namespace {

using dino::loss::koleo_loss;

TEST(Koleo, EqualsThePlainReading) {
  std::ifstream file(DINO_SOURCE_DIR "/tests/golden/loss/spread.json");
  const auto golden = nlohmann::json::parse(file);
  for (const auto& item : golden["koleo"]) {
    const std::int64_t batch = item["batch"], dim = item["dim"];
    const auto x = ((torch::arange(batch * dim, torch::kFloat64) * 2.3).cos() * 3)
                       .view({batch, dim})
                       .to(torch::kFloat32)
                       .requires_grad_();
    const auto loss = koleo_loss(x);
    loss.backward();
    EXPECT_NEAR(loss.item<double>(), item["loss"], 1e-5);
    const double norm = item["gradient_norm"];
    EXPECT_NEAR(x.grad().norm().item<double>() / norm, 1, 1e-4);
    const auto slope = x.grad().flatten();
    for (std::int64_t i = 0; i < 8; ++i)
      EXPECT_NEAR(slope[i].item<double>(), item["gradient"][static_cast<std::size_t>(i)],
                  1e-4 * norm)
          << i;
  }
}

// Values computed from the published formula, by others.
TEST(Koleo, EqualsTheWorkedExample) {
  const auto x = torch::tensor({{1.0F, 0.0F}, {0.8F, 0.6F}, {0.0F, 1.0F}});
  EXPECT_NEAR(koleo_loss(x).item<double>(), .34262, 1e-5);
}

TEST(Koleo, LengthsDoNotMatterAndDistanceLowersIt) {
  const auto x = torch::tensor({{1.0F, 0.0F}, {0.0F, 1.0F}, {-1.0F, 0.1F}});
  EXPECT_NEAR(koleo_loss(x * 7).item<double>(), koleo_loss(x).item<double>(), 1e-6);
  const auto near = torch::tensor({{1.0F, 0.0F}, {1.0F, 0.1F}, {1.0F, -0.1F}});
  EXPECT_GT(koleo_loss(near).item<double>(), koleo_loss(x).item<double>() + 1);
}

TEST(Koleo, EqualFeaturesAreFinite) {
  const auto x = torch::ones({4, 3}).requires_grad_();
  const auto loss = koleo_loss(x);
  loss.backward();
  EXPECT_TRUE(loss.isfinite().item<bool>());
  EXPECT_TRUE(x.grad().isfinite().all().item<bool>());
}

TEST(Koleo, OneImageHasNoNeighborAndNoSlope) {
  const auto x = torch::ones({1, 3}).requires_grad_();
  const auto loss = koleo_loss(x);
  loss.backward();
  EXPECT_EQ(loss.item<double>(), 0);
  EXPECT_TRUE(torch::equal(x.grad(), torch::zeros({1, 3})));
}

TEST(Koleo, GroupsAreBatchesOfTheirOwn) {
  const auto x = (torch::arange(72, torch::kFloat32) * 2.3).cos().view({12, 6});
  torch::Tensor expected = torch::zeros({});
  for (const auto& group : x.split(4)) expected += koleo_loss(group) / 3;
  EXPECT_NEAR(koleo_loss(x, 4).item<double>(), expected.item<double>(), 1e-6);
  EXPECT_EQ(koleo_loss(x, 1).item<double>(), 0);
  EXPECT_THROW(koleo_loss(x, 5), dino::Error);
}

TEST(Koleo, Bf16FeaturesAreOnlyRounded) {
  const auto x = (torch::arange(80, torch::kFloat32) * 0.9).cos().view({10, 8});
  EXPECT_NEAR(koleo_loss(x.to(torch::kBFloat16)).item<double>(), koleo_loss(x).item<double>(),
              0.02);
}

}  // namespace
