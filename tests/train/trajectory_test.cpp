// Ten training steps against plain PyTorch (tests/golden/train/trajectory.py): fixed weights and
// crops, two networks, every schedule, clipping, AdamW with its two weight-decay groups, a last
// layer frozen in the first epoch, EMA and centering.
#include <gtest/gtest.h>
#include <torch/types.h>

#include <cmath>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "dino/train/ssl_model.h"
#include "tests/golden/golden_file.h"
#include "tests/golden/synthetic_weights.h"
#include "tests/golden/tiny_training.h"
#include "tests/kernel_sets.h"

namespace {

using dino::golden::batch_at;
using dino::golden::kIterationsPerEpoch;
using dino::golden::tiny_recipe;

constexpr int kSteps = 10;
constexpr std::int64_t kSlice = 17;  // trajectory.py stores every 17th element

/** The name without "student." or "teacher.", or empty for other state. */
std::string parameter_name(const std::string& name) {
  for (const std::string prefix : {"student.", "teacher."})
    if (name.starts_with(prefix)) return name.substr(prefix.size());
  return "";
}

/** Both networks get the synthetic weights, through the interface a checkpoint is loaded by. */
void load_synthetic_weights(dino::train::SslModel& model) {
  auto records = dino::model::to_records(model.state());
  std::vector<torch::Tensor> weights;
  for (auto& record : records) {
    const std::string name = parameter_name(record.name);
    if (name.empty()) continue;
    weights.push_back(dino::golden::parameter(name, record.shape));
    record.bytes = std::as_bytes(std::span(weights.back().data_ptr<float>(),
                                           static_cast<std::size_t>(weights.back().numel())));
  }
  model.load_state(records);
}

torch::Tensor final_slice(const dino::format::TensorRecord& record) {
  auto x = torch::from_blob(const_cast<std::byte*>(record.bytes.data()),
                            {dino::format::element_count(record.shape)})
               .clone();
  // The key third of a qkv bias has no effect and a gradient of pure rounding noise, which Adam
  // blows up; the golden holds zeros.
  if (record.name.ends_with("qkv.bias")) x.narrow(0, x.numel() / 3, x.numel() / 3).zero_();
  return x.index({torch::indexing::Slice(0, torch::indexing::None, kSlice)});
}

void check(const std::string& name, bool norm_last_layer, int accumulate = 1) {
  std::ifstream file(DINO_SOURCE_DIR "/tests/golden/train/trajectory.json");
  const auto golden = nlohmann::json::parse(file).at(name);
  auto recipe = tiny_recipe(norm_last_layer);
  recipe.train.accumulate = accumulate;
  dino::train::SslModel model(recipe, dino::model::Precision::Fp32, kIterationsPerEpoch);
  load_synthetic_weights(model);

  for (int step = 0; step < kSteps; ++step) {
    SCOPED_TRACE(name + ", step " + std::to_string(step));
    const auto& expected = golden.at(static_cast<std::size_t>(step));
    const auto now = model.schedule(step);
    EXPECT_NEAR(now.at("lr"), expected["lr"].get<double>(), 1e-12);
    EXPECT_NEAR(now.at("weight_decay"), expected["weight_decay"].get<double>(), 1e-12);
    EXPECT_NEAR(now.at("momentum"), expected["momentum"].get<double>(), 1e-12);
    EXPECT_NEAR(now.at("teacher_temperature"), expected["teacher_temperature"].get<double>(),
                1e-12);

    const auto report = model.step(batch_at(step), step);
    const auto& metrics = report.figures;
    const double loss = expected["loss"], entropy = expected["teacher_entropy"];
    EXPECT_FALSE(report.skipped);
    EXPECT_NEAR(metrics.at("loss") / loss, 1, 1e-4);
    EXPECT_NEAR(metrics.at("loss_dino"), metrics.at("loss"), 1e-9);
    EXPECT_NEAR(metrics.at("teacher_entropy"), entropy, 1e-4);
    EXPECT_NEAR(metrics.at("teacher_student_kl"), loss - entropy, 2e-4);
    EXPECT_NEAR(metrics.at("gradient_norm") / expected["gradient_norm"].get<double>(), 1, 1e-3);
  }

  const dino::golden::GoldenFile weights("train/trajectory.safetensors");
  int compared = 0;
  for (const auto& record : dino::model::to_records(model.state())) {
    const bool center = record.name == "dino_loss.center";
    if (!center && parameter_name(record.name).empty()) continue;
    const auto actual = center ? torch::from_blob(const_cast<std::byte*>(record.bytes.data()), {64})
                               : final_slice(record);
    const auto expected = weights[name + "." + (center ? "center" : record.name)];
    ASSERT_EQ(actual.sizes(), expected.sizes()) << record.name;
    EXPECT_LE((actual - expected).abs().max().item<double>(), 1e-4) << record.name;
    ++compared;
  }
  // Per network: CLS, positions, patch projection 2, blocks 2 x 12, norm 2, head 3 x 2 + 2; and the
  // center.
  EXPECT_EQ(compared, 2 * (1 + 1 + 2 + 24 + 2 + 8) + 1);
}

TEST(Trajectory, EqualsPyTorchOnEveryInstructionSet) {
  dino::test::on_every_kernel_set([] { check("frozen_gain", true); });
}
TEST(Trajectory, EqualsPyTorchWithATrainedGain) {
  check("trained_gain", false);
}
// A ViT sees each image alone, so splitting the batch changes nothing but rounding.
TEST(Trajectory, AccumulationGivesTheSameSteps) {
  check("frozen_gain", true, 2);
}

/** Ten steps of a recipe with masks against case `name` of the golden `stem`. Returns the number of
 * tensors compared. */
int check_masked(const std::string& stem, const std::string& name,
                 const dino::recipe::Recipe& recipe, const std::vector<const char*>& curves) {
  std::ifstream file(DINO_SOURCE_DIR "/tests/golden/train/" + stem + ".json");
  const auto document = nlohmann::json::parse(file);
  const auto& golden = document.at(name);
  dino::train::SslModel model(recipe, dino::model::Precision::Fp32, kIterationsPerEpoch);
  load_synthetic_weights(model);
  for (int step = 0; step < kSteps; ++step) {
    SCOPED_TRACE(name + ", step " + std::to_string(step));
    const auto& expected = golden.at(static_cast<std::size_t>(step));
    for (const char* curve : curves)
      EXPECT_NEAR(model.schedule(step).at(curve), expected[curve].get<double>(), 1e-12) << curve;
    const auto report = model.step(batch_at(step, recipe), step);
    for (const auto& [figure, value] : expected.items())
      if (figure.starts_with("loss")) {
        EXPECT_NEAR(report.figures.at(figure), value.get<double>(),
                    1e-4 * std::abs(value.get<double>()))
            << figure;
      }
    EXPECT_NEAR(report.figures.at("gradient_norm") / expected["gradient_norm"].get<double>(), 1,
                1e-3);
    EXPECT_GE(report.figures.at("teacher_student_kl"), 0) << "whatever local crops weigh";
  }
  const dino::golden::GoldenFile weights("train/" + stem + ".safetensors");
  int compared = 0;
  for (const auto& record : dino::model::to_records(model.state())) {
    torch::Tensor actual, expected;
    if (!parameter_name(record.name).empty()) {
      actual = final_slice(record);
      expected = weights[name + "." + record.name];
    } else if (record.name.ends_with("_loss.center") && recipe.dino.centering == "mean") {
      actual = torch::from_blob(const_cast<std::byte*>(record.bytes.data()), record.shape);
      expected = weights[name + "." + record.name.substr(0, 4) + "_center"];
    } else {
      continue;
    }
    if (actual.sizes() != expected.sizes()) ADD_FAILURE() << record.name;
    EXPECT_LE((actual - expected).abs().max().item<double>(), 1e-4) << record.name;
    ++compared;
  }
  return compared;
}

/** DINOv2 against the modules of its PyPI package (trajectory_v2.py). */
void check_v2(const std::string& name, bool tied, bool sinkhorn, bool swiglu) {
  const int compared =
      check_masked("trajectory_v2", name, dino::golden::tiny_v2_recipe(tied, sinkhorn, swiglu),
                   {"lr", "teacher_temperature"});
  // Per network: CLS, mask token, positions, patch projection 2, blocks 2 x 14, norm 2, heads of
  // 8; and the centers.
  EXPECT_EQ(compared, 2 * (1 + 1 + 1 + 2 + 28 + 2 + (tied ? 8 : 16)) + (sinkhorn ? 0 : 2));
}

/** DINOv3 with Gram anchoring against plain PyTorch (trajectory_v3.py). */
void check_v3(const std::string& name, bool seven) {
  const int compared = check_masked("trajectory_v3", name, dino::golden::tiny_v3_recipe(seven),
                                    {"lr", "teacher_temperature", "local_weight"});
  // Per network: CLS, mask token, registers, patch projection 2, blocks 2 x 14 (no qkv bias in the
  // 7B network), norm 2 (and local CLS's), heads of 7.
  EXPECT_EQ(compared, 2 * (1 + 1 + 1 + 2 + (seven ? 26 : 28) + (seven ? 4 : 2) + 14));
}

TEST(Trajectory, EqualsDinoV2TiedAndCentered) {
  check_v2("tied_mean", true, false, false);
}
TEST(Trajectory, EqualsDinoV2TiedWithSinkhorn) {
  check_v2("tied_sinkhorn", true, true, false);
}
TEST(Trajectory, EqualsDinoV2UntiedAndCenteredWithSwiGlu) {
  check_v2("untied_mean", false, false, true);
}
TEST(Trajectory, EqualsDinoV2UntiedWithSinkhorn) {
  check_v2("untied_sinkhorn", false, true, false);
}
TEST(Trajectory, EqualsDinoV3WithGramAnchoringAsTheSevenBillionNetwork) {
  check_v3("seven", true);
}
TEST(Trajectory, EqualsDinoV3WithGramAnchoringAsTheSmallNetworks) {
  check_v3("small", false);
}

}  // namespace
