// Heads as PyTorch saves them (tests/golden/weights/make_checkpoints.py), in our own files, and
// ones that do not fit.
#include "dino/weights/head.h"

#include <gtest/gtest.h>

#include <cstring>

#include "dino/base/error.h"
#include "dino/base/json.h"
#include "dino/format/safetensors.h"
#include "dino/format/torch_file.h"
#include "dino/weights/read.h"
#include "dino/weights/write.h"
#include "tests/temp_dir.h"
#include "tests/weights/toy.h"

namespace dino::weights {
namespace {

namespace fs = std::filesystem;
using testing::random_head;
using testing::random_weights;
using testing::toy_network;

fs::path golden(const std::string& name) {
  return fs::path(DINO_SOURCE_DIR) / "tests/golden/weights/checkpoints" / name;
}

float float_at(const format::TensorRecord& tensor, std::int64_t index) {
  float value = 0;
  std::memcpy(&value, tensor.bytes.data() + static_cast<std::size_t>(index) * sizeof value,
              sizeof value);
  return value;
}

void expect_tensors(const Head& head, const nlohmann::json& expected) {
  ASSERT_EQ(head.tensors.size(), expected.size());
  for (const auto& tensor : head.tensors) {
    SCOPED_TRACE(tensor.name);
    ASSERT_TRUE(expected.contains(tensor.name));
    const auto& facts = expected[tensor.name];
    EXPECT_EQ(tensor.shape, facts["shape"].get<std::vector<std::int64_t>>());
    if (tensor.dtype != format::DType::F32) continue;
    const std::int64_t count = format::element_count(tensor.shape);
    double sum = 0;
    for (std::int64_t i = 0; i < count; ++i) sum += static_cast<double>(float_at(tensor, i));
    EXPECT_NEAR(sum, facts["sum"].get<double>(), 1e-9);
    EXPECT_EQ(float_at(tensor, 0), facts["first"].get<float>());
    EXPECT_EQ(float_at(tensor, count - 1), facts["last"].get<float>());
  }
}

void expect_head(const Head& head, const nlohmann::json& expected) {
  const HeadShape& s = head.shape;
  EXPECT_EQ(s.in_dim, expected["in_dim"]);
  EXPECT_EQ(s.outputs, expected["outputs"]);
  EXPECT_EQ(s.kind == HeadKind::Projection, expected.contains("layers"));
  if (expected.contains("layers")) {
    EXPECT_EQ(s.layers, expected["layers"]);
    EXPECT_EQ(s.hidden, expected["hidden"]);
    EXPECT_EQ(s.bottleneck, expected["bottleneck"]);
    EXPECT_EQ(s.bias, expected["bias"]);
    EXPECT_EQ(s.weight_norm, expected["weight_norm"]);
    EXPECT_EQ(s.batch_norm, expected["batch_norm"]);
  }
  expect_tensors(head, expected["tensors"]);
}

TEST(Heads, OfEveryFileThatPyTorchWrote) {
  const nlohmann::json expected = read_json_file(golden("expected.json"));
  ASSERT_EQ(expected.size(), 7u);
  for (const auto& [file, networks] : expected.items()) {
    for (const auto& [network, heads] : networks.items()) {
      SCOPED_TRACE(file + " " + network);
      const fs::path path = golden(file + ".pth");
      const ReadOptions options{.network = network.empty() ? "teacher" : network, .arch = ""};
      const auto read_alone = read_heads(path, options);
      ASSERT_EQ(read_alone.size(), heads.size());
      for (const Head& head : read_alone) expect_head(head, heads[head.name]);
      if (network.empty()) {
        EXPECT_NE(testing::message_of([&] { read(path, options); }).find("classifier alone"),
                  std::string::npos);
        continue;
      }
      const Weights weights = read(path, options);
      EXPECT_TRUE(weights.unusable_heads.empty());
      ASSERT_EQ(weights.heads.size(), heads.size());
      for (const Head& head : weights.heads) expect_head(head, heads[head.name]);
    }
  }
}

TEST(Heads, StayInOurOwnFiles) {
  const test::TempDir temp;
  for (const char* file : {"v1", "v1_batch_norm", "v2_teacher", "v3_teacher"}) {
    SCOPED_TRACE(file);
    const Weights original = read(golden(std::string(file) + ".pth"));
    write(temp / "ours.safetensors", original, {});
    const Weights back = read(temp / "ours.safetensors");
    testing::expect_same_heads(back.heads, original.heads);
  }
}

TEST(Heads, AreUnderTheirNamesThere) {
  const test::TempDir temp;
  write(temp / "ours.safetensors", read(golden("v1.pth")), {});
  const format::SafetensorsFile file(temp / "ours.safetensors");
  EXPECT_NE(file.find("dino_head.mlp.0.weight"), nullptr);
  EXPECT_NE(file.find("dino_head.last_layer.weight_v"), nullptr);
}

TEST(Heads, AClassifierGoesOnItsBackbone) {
  const auto of = [](const char* backbone, const char* head) {
    Weights weights = read(golden(backbone));
    weights.heads.clear();
    add_heads(weights, read_heads(golden(head)));
    return std::string(
        classifier_input(weights.network.architecture, weights.heads[0].shape.in_dim));
  };
  EXPECT_EQ(of("v1.pth", "v1_linear.pth"), "cls of 4 blocks");
  EXPECT_EQ(of("v1.pth", "v2_linear.pth"), "cls+mean, interleaved");
  EXPECT_EQ(of("v2_teacher.pth", "v2_linear.pth"), "cls+mean");
  EXPECT_EQ(of("v3_teacher.pth", "v2_linear.pth"), "cls+mean");

  Weights weights = read(golden("v2_teacher.pth"));
  EXPECT_THROW(add_heads(weights, read_heads(golden("v2_model.pth"))), Error);  // has such heads
  weights.heads.clear();
  add_heads(weights, read_heads(golden("v2_model.pth")));
  EXPECT_EQ(weights.heads.size(), 2u);
  Weights other = random_weights(toy_network("dinov2_vits14"));  // of 128 features
  EXPECT_THROW(add_heads(other, read_heads(golden("v1_linear.pth"))), Error);
  EXPECT_THROW(add_heads(other, read_heads(golden("v2_model.pth"))), Error);
}

TEST(Heads, ClassifiersAreWrittenAsTheyAreReleased) {
  const test::TempDir temp;
  for (const auto& [backbone, head] :
       {std::pair("v1.pth", "v1_linear.pth"), {"v2_teacher.pth", "v2_linear.pth"}}) {
    Weights weights = read(golden(backbone));
    EXPECT_THROW(write_classifier(temp / "none.pth", weights), Error);
    add_heads(weights, read_heads(golden(head)));
    write_classifier(temp / head, weights);
    const format::TorchFile written(temp / head), released(golden(head));
    ASSERT_EQ(written.tensors().size(), 2u);
    for (const auto& tensor : written.tensors()) {
      const auto* original = released.find(tensor.name);
      ASSERT_NE(original, nullptr) << tensor.name;
      EXPECT_EQ(tensor.shape, original->shape);
      EXPECT_TRUE(std::ranges::equal(tensor.bytes, original->bytes));
    }
  }
}

TEST(Heads, TransformersClassifierOfDinov2) {
  const test::TempDir temp;
  Weights weights = random_weights(toy_network("dinov2_vits14_reg"));
  weights.heads.push_back(random_head(std::string(kClassifier), {.kind = HeadKind::Classifier,
                                                                 .in_dim = 256,
                                                                 .outputs = 5,
                                                                 .layers = 0,
                                                                 .weight_norm = false}));
  EXPECT_TRUE(left_out_heads(weights, Layout::HuggingFace).empty());
  EXPECT_EQ(left_out_heads(weights, Layout::Official), std::vector<std::string>{"classifier"});
  write(temp / "folder", weights, {.layout = Layout::HuggingFace});
  const auto config = read_json_file(temp / "folder" / "config.json");
  EXPECT_EQ(config["architectures"][0], "Dinov2WithRegistersForImageClassification");
  EXPECT_EQ(config["id2label"].size(), 5u);
  const Weights back = read(temp / "folder");
  testing::expect_same_heads(back.heads, weights.heads);
  EXPECT_EQ(back.tensors.size(), weights.tensors.size());
}

// ---- What does not fit ----

class OddHead : public ::testing::Test {
 protected:
  /** The message about a toy head with one tensor left out, put in, or of another shape. */
  std::string message(const std::string& gone, const std::string& added = "",
                      std::vector<std::int64_t> shape = {3}) {
    const Head head =
        random_head("dino_head", {.in_dim = 128, .outputs = 9, .hidden = 7, .bottleneck = 5});
    NamedTensors named;
    for (const auto& tensor : head.tensors)
      if (tensor.name != gone) named[tensor.name] = &tensor;
    std::vector<std::byte> bytes(
        static_cast<std::size_t>(format::byte_count(format::DType::F32, shape)));
    const format::TensorRecord extra{added, format::DType::F32, std::move(shape), bytes};
    if (!added.empty()) named[added] = &extra;
    try {
      make_head("dino_head", named, "a.pth");
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::Format);
      return error.what();
    }
    return "(no error)";
  }
  void expect_says(const std::string& message, const std::string& part) {
    EXPECT_NE(message.find(part), std::string::npos) << message;
    EXPECT_NE(message.find("a.pth"), std::string::npos) << message;
  }
};

TEST_F(OddHead, IsListed) {
  EXPECT_EQ(message("none"), "(no error)");
  expect_says(message("mlp.2.bias"), "1 missing: mlp.2.bias");
  expect_says(message("last_layer.weight_g"), "1 missing: last_layer.weight_g");
  expect_says(message("none", "mlp.6.scale"), "1 not expected: mlp.6.scale");
  expect_says(message("mlp.2.weight", "mlp.2.weight", {7, 8}), "mlp.2.weight is F32 [7, 8]");
  expect_says(message("last_layer.weight_v"), "neither mlp and last_layer nor a weight");
  expect_says(message("last_layer.weight_v", "last_layer.weight_v", {9}), "neither");
}

TEST_F(OddHead, LeavesTheBackboneUsable) {
  const test::TempDir temp;
  const Weights original = random_weights(toy_network("dinov2_vits14"));
  std::vector<format::TensorRecord> records;
  for (format::TensorRecord tensor : original.tensors) {
    tensor.name = "teacher.backbone." + tensor.name;
    records.push_back(tensor);
  }
  const std::vector<float> one(1);
  records.push_back({"teacher.dino_head.mlp.0.weight",
                     format::DType::F32,
                     {1, 1},
                     std::as_bytes(std::span(one))});
  format::write_safetensors(temp / "odd.safetensors", records);
  const Weights weights = read(temp / "odd.safetensors");
  EXPECT_TRUE(weights.heads.empty());
  ASSERT_EQ(weights.unusable_heads.size(), 1u);
  EXPECT_THROW(read_heads(temp / "odd.safetensors"), Error);
  EXPECT_THROW(write(temp / "ours.safetensors", weights, {}), Error);
  write(temp / "ours.safetensors", weights, {.layout = Layout::Dino, .allow_loss = true});
  EXPECT_TRUE(read(temp / "ours.safetensors").heads.empty());
}

}  // namespace
}  // namespace dino::weights
