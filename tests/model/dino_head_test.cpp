// The projection head against its formula in float64: with and without batch norm, in training and
// in use.
#include "dino/model/dino_head.h"

#include <ATen/CPUGeneratorImpl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/types.h>

#include <map>
#include <numbers>
#include <string>

#include "tests/golden/synthetic_weights.h"
#include "tests/model/closeness.h"

namespace dino::model {
namespace {

constexpr std::int64_t kIn = 10;
constexpr double kBatchNormEps = 1e-5;

std::shared_ptr<DinoHead> make_head(int layers, bool batch_norm) {
  auto head = std::make_shared<DinoHead>(kIn,
                                         DinoHeadOptions{.prototypes = 17,
                                                         .layers = layers,
                                                         .hidden = 12,
                                                         .bottleneck = 7,
                                                         .batch_norm = batch_norm},
                                         at::detail::createCPUGenerator(1));
  golden::fill_parameters(*head);
  golden::fill_statistics(*head);
  return head;
}

/** Float64 copies of everything that the head holds. */
std::map<std::string, torch::Tensor> doubles_of(const DinoHead& head) {
  std::map<std::string, torch::Tensor> all;
  for (const auto& item : head.named_parameters())
    all[item.key()] = item.value().detach().to(torch::kFloat64).requires_grad_();
  for (const auto& item : head.named_buffers())
    all[item.key()] = item.value().to(torch::kFloat64);  // a copy: none is float64
  return all;
}

/** Logits of x [N, kIn]. Linear layers and norms have the places of the reference's nn.Sequential,
 * where GELU takes one too. */
torch::Tensor by_formula(const std::map<std::string, torch::Tensor>& at, torch::Tensor x,
                         int layers, bool batch_norm, bool is_training) {
  int place = 0;
  for (int i = 0; i < layers; ++i) {
    std::string name = "mlp." + std::to_string(place++) + ".";
    x = x.matmul(at.at(name + "weight").t()) + at.at(name + "bias");
    if (i + 1 == layers) break;
    if (batch_norm) {
      name = "mlp." + std::to_string(place++) + ".";
      const torch::Tensor mean = is_training ? x.mean(0) : at.at(name + "running_mean");
      const torch::Tensor variance =
          is_training ? (x - mean).square().mean(0) : at.at(name + "running_var");
      x = (x - mean) / (variance + kBatchNormEps).sqrt() * at.at(name + "weight") +
          at.at(name + "bias");
    }
    ++place;
    x = x * (1 + (x / std::numbers::sqrt2).erf()) / 2;
  }
  x = x / x.square().sum(1, true).sqrt();
  const torch::Tensor& direction = at.at("last_layer.weight_v");
  const torch::Tensor weight =
      at.at("last_layer.weight_g") * direction / direction.square().sum(1, true).sqrt();
  return x.matmul(weight.t());
}

TEST(DinoHead, EqualsItsFormula) {
  const torch::Tensor x = golden::image("features", {9, kIn});
  for (const int layers : {1, 2, 3})
    for (const bool batch_norm : {false, true})
      for (const bool is_training : {true, false}) {
        SCOPED_TRACE(
            fmt::format("{} layers, norm {}, training {}", layers, batch_norm, is_training));
        const auto head = make_head(layers, batch_norm);
        head->train(is_training);
        const auto oracle = doubles_of(*head);
        const torch::Tensor expected =
            by_formula(oracle, x.to(torch::kFloat64), layers, batch_norm, is_training);
        const torch::Tensor found = head->forward(x);
        EXPECT_LE(relative_error(found.detach(), expected.detach()), 1e-5);
        const torch::Tensor weights = golden::image("weights", {9, 17});
        (found * weights).sum().backward();
        (expected * weights).sum().backward();
        for (const auto& item : head->named_parameters()) {
          const torch::Tensor& wanted = oracle.at(item.key()).grad();
          EXPECT_LE((item.value().grad() - wanted).norm().item<double>(),
                    1e-4 * wanted.norm().item<double>() + 1e-5)
              << item.key();
        }
      }
}

/** Momentum 0.1, and the variance of the samples, not of the batch (nn.BatchNorm1d). */
TEST(DinoHead, TrainingMovesTheRunningStatistics) {
  const torch::NoGradGuard no_grad;
  const torch::Tensor x = golden::image("features", {9, kIn});
  const auto head = make_head(2, true);
  auto before = doubles_of(*head);
  const torch::Tensor hidden =
      x.to(torch::kFloat64).matmul(before["mlp.0.weight"].t()) + before["mlp.0.bias"];
  head->eval();
  head->forward(x);
  EXPECT_EQ(head->named_buffers()["mlp.1.num_batches_tracked"].item<int>(), 0);
  head->train();
  head->forward(x);
  const auto after = head->named_buffers();
  EXPECT_EQ(after["mlp.1.num_batches_tracked"].item<int>(), 1);
  EXPECT_LE(relative_error(after["mlp.1.running_mean"],
                           0.9 * before["mlp.1.running_mean"] + 0.1 * hidden.mean(0)),
            1e-5);
  EXPECT_LE(relative_error(after["mlp.1.running_var"],
                           0.9 * before["mlp.1.running_var"] + 0.1 * hidden.var(0, true)),
            1e-5);
}

TEST(DinoHead, Bf16StaysNearFp32) {
  const torch::NoGradGuard no_grad;
  const torch::Tensor x = golden::image("features", {9, kIn});
  for (const bool batch_norm : {false, true}) {
    const auto head = make_head(3, batch_norm);
    const torch::Tensor exact = head->forward(x);
    head->set_precision(Precision::Bf16);
    const torch::Tensor rounded = head->forward(x);
    EXPECT_EQ(rounded.scalar_type(), torch::kBFloat16);
    EXPECT_LE(relative_error(rounded.to(torch::kFloat32), exact), 0.03);
    EXPECT_GT(relative_error(rounded.to(torch::kFloat32), exact), 1e-4);
  }
}

}  // namespace
}  // namespace dino::model
