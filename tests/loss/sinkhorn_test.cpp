// Sinkhorn-Knopp targets against a plain float64 reading (tests/golden/loss/make_spread.py), and
// what must hold for any logits.
#include "dino/loss/sinkhorn.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <vector>

namespace {

using dino::loss::sinkhorn_knopp;
using dino::loss::Targets;

constexpr int kRounds = 3;

/** The golden's inputs. */
torch::Tensor cosines(std::int64_t rows, std::int64_t prototypes) {
  return (torch::arange(rows * prototypes, torch::kFloat64) * 1.7)
      .cos()
      .view({rows, prototypes})
      .to(torch::kFloat32);
}

Targets alone(const torch::Tensor& logits, double temperature, int rounds = kRounds) {
  dino::parallel::Alone ranks;
  return sinkhorn_knopp(logits, temperature, rounds, ranks);
}

void expect_values(const torch::Tensor& found, const std::vector<double>& expected) {
  ASSERT_EQ(found.numel(), static_cast<std::int64_t>(expected.size()));
  for (std::size_t i = 0; i < expected.size(); ++i)
    EXPECT_NEAR(found[static_cast<std::int64_t>(i)].item<double>(), expected[i], 2e-6) << i;
}

TEST(Sinkhorn, EqualsThePlainReading) {
  std::ifstream file(DINO_SOURCE_DIR "/tests/golden/loss/spread.json");
  const auto golden = nlohmann::json::parse(file);
  for (const auto& item : golden["sinkhorn"]) {
    const auto targets = alone(cosines(item["rows"], item["prototypes"]), item["temperature"],
                               item["rounds"].get<int>());
    const auto& p = targets.probabilities;
    expect_values(p[0].narrow(0, 0, 7), item["first"]);
    expect_values(p[-1].narrow(0, p.size(1) - 7, 7), item["last"]);
    EXPECT_NEAR(targets.entropy.item<double>(), item["entropy"], 1e-5);
  }
}

// Values computed from the published formulas, by others.
TEST(Sinkhorn, EqualsTheWorkedExample) {
  const auto logits = torch::tensor({{.10F, .00F, -.05F},  // [4, 3]
                                     {.12F, .02F, .00F},
                                     {.05F, .06F, -.10F},
                                     {.20F, .00F, .10F}});
  const auto expected = torch::tensor({{.40480F, .31659F, .27861F},
                                       {.35229F, .27552F, .37220F},
                                       {.18339F, .69039F, .12622F},
                                       {.38560F, .07227F, .54213F}});
  EXPECT_LE((alone(logits, 0.07).probabilities - expected).abs().max().item<double>(), 6e-6);
}

TEST(Sinkhorn, RowsSumToOneAndACommonSummandOrALargeOneChangesNothing) {
  const auto logits = cosines(20, 50);
  const auto p = alone(logits, 0.04).probabilities;
  EXPECT_LE((p.sum(1) - 1).abs().max().item<double>(), 1e-6);
  EXPECT_FALSE(p.requires_grad());
  EXPECT_TRUE(torch::allclose(alone(logits + 2, 0.04).probabilities, p, 1e-3, 1e-5));
  // exp(500 / 0.04) is no float.
  EXPECT_TRUE(alone(logits * 500, 0.04).probabilities.isfinite().all().item<bool>());
}

// What a running mean does slowly, this does at once: a prototype that all rows prefer is shared.
TEST(Sinkhorn, NoPrototypeGetsMoreThanItsShare) {
  auto logits = cosines(64, 16) / 10;
  logits.select(1, 3).add_(1);
  const auto share = alone(logits, 0.05, 20).probabilities.mean(0);
  EXPECT_NEAR(share[3].item<double>(), 1.0 / 16, 1e-3);
}

TEST(Sinkhorn, EqualRowsGiveTheUniformDistribution) {
  const auto targets = alone(cosines(1, 40).expand({8, 40}), 0.04);
  EXPECT_NEAR(targets.entropy.item<double>(), std::log(40.0), 1e-5);
}

/** The second of two ranks, whose sums include what the first one gave in the same place. */
class Second final : public dino::parallel::Communicator {
 public:
  explicit Second(const std::vector<torch::Tensor>& first) : first_(first) {}
  int rank() const override { return 1; }
  int world() const override { return 2; }
  void sum(std::span<torch::Tensor> tensors) override {
    for (torch::Tensor& tensor : tensors) tensor.add_(first_.at(call_++));
  }
  bool all(bool mine) override { return mine; }
  void barrier() override {}

 private:
  const std::vector<torch::Tensor>& first_;
  std::size_t call_ = 0;
};

TEST(Sinkhorn, RowsOfTwoRanksAreJoined) {
  const auto logits = cosines(9, 12);
  const auto whole = alone(logits, 0.07);
  // What the first rank adds to each sum, from the whole: its maximum, then its columns' sums.
  const auto scaled = logits / 0.07;
  auto q = (scaled - scaled.max()).exp();
  const auto mine = [](const torch::Tensor& x) { return x.narrow(0, 0, 4); };
  std::vector<torch::Tensor> first = {torch::stack({mine(scaled).max(), torch::zeros({})})};
  for (int round = 0; round < kRounds; ++round) {
    first.push_back(mine(q).sum(0));
    q = q / q.sum(0);
    q = q / q.sum(1, /*keepdim=*/true);
  }
  Second second(first);
  const auto part = sinkhorn_knopp(logits.narrow(0, 4, 5), 0.07, kRounds, second);
  EXPECT_TRUE(torch::allclose(part.probabilities, whole.probabilities.narrow(0, 4, 5), 1e-4, 1e-6));
}

}  // namespace
