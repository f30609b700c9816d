// Training checkpoints: those PyTorch saved, through all forms and back; the keys we write against
// the keys it wrote (tests/golden/weights/make_checkpoints.py).
#include "dino/weights/network_pair.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "dino/base/error.h"
#include "dino/base/json.h"
#include "dino/format/safetensors.h"
#include "dino/format/tensor_file.h"
#include "dino/weights/write.h"
#include "tests/temp_dir.h"
#include "tests/weights/toy.h"

namespace dino::weights {
namespace {

namespace fs = std::filesystem;
using testing::expect_same_heads;
using testing::random_head;
using testing::random_weights;
using testing::toy_network;

fs::path golden(const std::string& name) {
  return fs::path(DINO_SOURCE_DIR) / "tests/golden/weights/checkpoints" / (name + ".pth");
}

std::map<std::string, const format::TensorRecord*> by_name(const format::TensorFile& file) {
  std::map<std::string, const format::TensorRecord*> named;
  for (const auto& tensor : file.tensors())
    if (!tensor.name.starts_with("optimizer.")) named[tensor.name] = &tensor;
  return named;
}

void expect_same_weights(const Weights& actual, const Weights& expected) {
  ASSERT_EQ(actual.tensors.size(), expected.tensors.size());
  for (std::size_t i = 0; i < actual.tensors.size(); ++i) {
    EXPECT_EQ(actual.tensors[i].name, expected.tensors[i].name);
    EXPECT_EQ(actual.tensors[i].shape, expected.tensors[i].shape);
    EXPECT_TRUE(std::ranges::equal(actual.tensors[i].bytes, expected.tensors[i].bytes))
        << expected.tensors[i].name;
  }
  expect_same_heads(actual.heads, expected.heads);
}

void expect_same_networks(const NetworkPair& actual, const NetworkPair& expected) {
  ASSERT_EQ(actual.networks.size(), expected.networks.size());
  for (const auto& [name, network] : expected.networks) {
    SCOPED_TRACE(name);
    ASSERT_TRUE(actual.networks.contains(name));
    expect_same_weights(actual.networks.at(name), network);
  }
  ASSERT_EQ(actual.centers.size(), expected.centers.size());
  for (std::size_t i = 0; i < actual.centers.size(); ++i) {
    EXPECT_EQ(actual.centers[i].name, expected.centers[i].name);
    EXPECT_EQ(actual.centers[i].shape, expected.centers[i].shape);
    EXPECT_TRUE(std::ranges::equal(actual.centers[i].bytes, expected.centers[i].bytes));
  }
}

TEST(NetworkPair, HoldsTheKeysAndBytesOfPyTorchs) {
  const test::TempDir temp;
  for (const char* name : {"v1", "v2_model", "v3_teacher"}) {
    for (const char* ending : {".pth", ".safetensors"}) {
      SCOPED_TRACE(std::string(name) + ending);
      const fs::path path = temp / (name + std::string(ending));
      write_network_pair(path, read_network_pair(golden(name)));
      const auto original = format::open_tensors(golden(name)),
                 written = format::open_tensors(path);
      const auto expected = by_name(original), actual = by_name(written);
      EXPECT_EQ(actual.size(), expected.size());
      for (const auto& [key, tensor] : expected) {
        ASSERT_TRUE(actual.contains(key)) << key;
        EXPECT_EQ(actual.at(key)->shape, tensor->shape) << key;
        if (key.ends_with("rope_embed.periods")) continue;  // computed anew
        EXPECT_TRUE(std::ranges::equal(actual.at(key)->bytes, tensor->bytes)) << key;
      }
    }
  }
}

TEST(NetworkPair, NamesWhatIsNoNetwork) {
  EXPECT_EQ(read_network_pair(golden("v1")).left_out, std::vector<std::string>{"optimizer"});
  EXPECT_TRUE(read_network_pair(golden("v2_model")).left_out.empty());
  EXPECT_EQ(read_network_pair(golden("v2_model")).centers.size(), 2u);
}

// {"teacher"} of DINOv2 in chunks and of DINO with batch norm come back with other keys, the same
// tensors.
TEST(NetworkPair, ComesBackFromEveryFile) {
  const test::TempDir temp;
  for (const char* name : {"v1", "v1_batch_norm", "v2_teacher", "v2_model", "v3_teacher"}) {
    SCOPED_TRACE(name);
    const NetworkPair original = read_network_pair(golden(name));
    write_network_pair(temp / "file.pth", original);
    expect_same_networks(read_network_pair(temp / "file.pth"), original);
    // Through our own weights: the teacher, with its heads.
    write(temp / "ours.safetensors", original.networks.at("teacher"), {});
    const NetworkPair own = read_network_pair(temp / "ours.safetensors");
    ASSERT_EQ(own.networks.size(), 1u);
    write_network_pair(temp / "again.pth", own);
    expect_same_weights(read(temp / "again.pth"), original.networks.at("teacher"));
  }
}

TEST(NetworkPair, BatchNormPutsTheTeacherInAWrapperToo) {
  const test::TempDir temp;
  write_network_pair(temp / "file.pth", read_network_pair(golden("v1_batch_norm")));
  const auto file = format::open_tensors(temp / "file.pth");
  EXPECT_NE(file.find("teacher.module.head.mlp.1.running_mean"), nullptr);
}

/** Every kind of backbone with the heads of its generation, in both networks. */
class CheckpointOf : public ::testing::TestWithParam<std::string> {};

TEST_P(CheckpointOf, EveryKindComesBack) {
  const test::TempDir temp;
  NetworkPair original;
  std::uint64_t seed = 1;
  for (const char* name : {"student", "teacher"}) {
    Weights weights = random_weights(toy_network(GetParam()), seed++);
    HeadShape shape{
        .in_dim = weights.network.architecture.dim(), .outputs = 11, .hidden = 6, .bottleneck = 5};
    shape.weight_norm = !GetParam().starts_with("dinov3");
    weights.heads.push_back(random_head(std::string(kDinoHead), shape, seed++));
    if (!GetParam().starts_with("dino_"))
      weights.heads.push_back(random_head(std::string(kIbotHead), shape, seed++));
    original.networks.emplace(name, std::move(weights));
  }
  EXPECT_TRUE(losses(original).empty());
  write_network_pair(temp / "file.pth", original);
  expect_same_networks(read_network_pair(temp / "file.pth"), original);
}

INSTANTIATE_TEST_SUITE_P(Kinds, CheckpointOf, ::testing::ValuesIn(testing::kinds()),
                         [](const auto& kind) { return kind.param; });

// ---- What does not fit ----

TEST(NetworkPair, RefusesWhatTheCodeHasNoPlaceFor) {
  const test::TempDir temp;
  const auto message = [&](const char* kind, const std::string& head, const HeadShape& shape) {
    NetworkPair checkpoint;
    Weights weights = random_weights(toy_network(kind));
    weights.heads.push_back(random_head(head, shape));
    checkpoint.networks.emplace("teacher", std::move(weights));
    std::string text = "(no error)";
    try {
      write_network_pair(temp / "file.pth", checkpoint);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::Usage);
      text = error.what();
      EXPECT_FALSE(fs::exists(temp / "file.pth"));
      write_network_pair(temp / "file.pth", checkpoint, /*allow_loss=*/true);
      EXPECT_TRUE(read(temp / "file.pth").heads.empty());
    }
    fs::remove(temp / "file.pth");
    return text;
  };
  const HeadShape normed{.in_dim = 128, .outputs = 9, .hidden = 7, .bottleneck = 5};
  HeadShape plain = normed;
  plain.weight_norm = false;
  const HeadShape linear{
      .kind = HeadKind::Classifier, .in_dim = 256, .outputs = 9, .layers = 0, .weight_norm = false};
  EXPECT_EQ(message("dinov2_vits14", "ibot_head", normed), "(no error)");
  EXPECT_EQ(message("dinov3_vits16", "ibot_head", plain), "(no error)");
  EXPECT_NE(message("dino_vits16", "ibot_head", normed).find("teacher's ibot_head"),
            std::string::npos);
  EXPECT_NE(message("dinov3_vits16", "dino_head", normed).find("no weight norm"),
            std::string::npos);
  EXPECT_NE(message("dinov2_vits14", "dino_head", plain).find("has weight norm"),
            std::string::npos);
  EXPECT_NE(message("dinov2_vits14", "classifier", linear).find("no classifier"),
            std::string::npos);
}

TEST(NetworkPair, DinoHasOneCenter) {
  NetworkPair checkpoint;
  checkpoint.networks.emplace("teacher", random_weights(toy_network("dino_vits16")));
  const std::vector<float> center(4);
  checkpoint.centers = {
      {"ibot_patch_loss.center", format::DType::F32, {4}, std::as_bytes(std::span(center))}};
  EXPECT_EQ(losses(checkpoint),
            std::vector<std::string>{"ibot_patch_loss.center (DINO has one loss)"});
}

// ---- Ours ----

/** A checkpoint as dino train writes it, of a network whose heads shapes cannot tell. */
class OwnCheckpoint : public ::testing::Test {
 protected:
  OwnCheckpoint() {
    network_.architecture = toy_network("dino_vits16").architecture;
    network_.architecture.vit.heads = 4;  // of 32, not the 64 that would be assumed
    network_.preprocess.mean = {0.1, 0.2, 0.3};
    std::vector<format::TensorRecord> records;
    std::uint64_t seed = 1;
    for (const char* name : {"student", "teacher"}) {
      Weights weights = random_weights(network_, seed++);
      weights.heads.push_back(
          random_head(std::string(kDinoHead),
                      {.in_dim = 128, .outputs = 9, .hidden = 7, .bottleneck = 5}, seed++));
      for (auto tensor : weights.tensors) {
        tensor.name = fmt::format("{}.backbone.{}", name, tensor.name);
        records.push_back(tensor);
      }
      for (auto tensor : weights.heads[0].tensors) {
        tensor.name = fmt::format("{}.dino_head.{}", name, tensor.name);
        records.push_back(tensor);
      }
      networks_.networks.emplace(name, std::move(weights));
    }
    networks_.centers = {
        {"dino_loss.center", format::DType::F32, {9}, std::as_bytes(std::span(center_))}};
    records.push_back(networks_.centers[0]);
    records.push_back(
        {"optimizer.steps", format::DType::F32, {9}, std::as_bytes(std::span(center_))});
    write_own("file.safetensors", records, arch::to_json(network_));
    write_own("old.safetensors", records, "");
  }
  void write_own(const char* name, const std::vector<format::TensorRecord>& records,
                 const std::string& network) {
    const nlohmann::json info = {{"iteration", 3}, {"network", network}};
    format::write_safetensors(temp_ / name, records, {{"dino_checkpoint", dump_json(info)}});
  }

  test::TempDir temp_;
  arch::Network network_;
  NetworkPair networks_;
  std::vector<float> center_ = {1, 2, 3, 4, 5, 6, 7, 8, 9};
};

TEST_F(OwnCheckpoint, SaysItsNetwork) {
  const Weights teacher = read(temp_ / "file.safetensors");
  EXPECT_EQ(teacher.network, network_);
  EXPECT_TRUE(teacher.notes.empty());
  const Weights old = read(temp_ / "old.safetensors");  // of version 0.1
  EXPECT_EQ(old.network.architecture.vit.heads, 2);
  EXPECT_FALSE(old.notes.empty());
}

TEST_F(OwnCheckpoint, GoesThroughEveryFormAndBack) {
  const NetworkPair original = read_network_pair(temp_ / "file.safetensors");
  expect_same_networks(original, networks_);
  EXPECT_EQ(original.left_out, std::vector<std::string>{"optimizer"});
  // No layout of the papers tells the heads, which is said.
  ASSERT_EQ(losses(original).size(), 2u);
  EXPECT_EQ(losses(original)[0], "student's heads (4; 2 would be assumed)");
  EXPECT_THROW(write_network_pair(temp_ / "official.pth", original), Error);
  write_network_pair(temp_ / "official.pth", original, /*allow_loss=*/true);
  const auto file = format::open_tensors(temp_ / "official.pth");
  EXPECT_NE(file.find("student.module.backbone.cls_token"), nullptr);
  EXPECT_EQ(file.find("dino_loss.center")->shape, (std::vector<std::int64_t>{1, 9}));
  const NetworkPair back = read_network_pair(temp_ / "official.pth");
  expect_same_networks(back, networks_);
  for (const auto& [name, network] : back.networks) {
    write(temp_ / "ours.safetensors", network, {});
    const Weights own = read(temp_ / "ours.safetensors");
    expect_same_weights(own, networks_.networks.at(name));
    for (const auto& [layout, path] : {std::pair(Layout::Official, "one.pth"),
                                       {Layout::HuggingFace, "folder"},
                                       {Layout::Timm, "timm.safetensors"}}) {
      const bool config = layout == Layout::HuggingFace;
      const Weights& source = original.networks.at(name);
      EXPECT_EQ(losses(source, layout).empty(), config);
      write(temp_ / path, source, {.layout = layout, .allow_loss = !config});
      Weights expected = networks_.networks.at(name);
      expected.heads.clear();
      expect_same_weights(read(temp_ / path), expected);
      EXPECT_EQ(left_out_heads(own, layout), std::vector<std::string>{"dino_head"});
    }
  }
}

TEST_F(OwnCheckpoint, ADescriptionThatIsNoneIsRefused) {
  const auto network = networks_.networks.at("teacher");
  std::vector<format::TensorRecord> records;
  for (auto tensor : network.tensors) {
    tensor.name = "teacher.backbone." + tensor.name;
    records.push_back(tensor);
  }
  write_own("bad.safetensors", records, "{\"version\": 2}");
  EXPECT_THROW(read(temp_ / "bad.safetensors"), Error);
  format::write_safetensors(temp_ / "worse.safetensors", records, {{"dino_checkpoint", "{"}});
  EXPECT_THROW(read(temp_ / "worse.safetensors"), Error);
  arch::Network other = network_;
  other.architecture.vit.depth = 3;
  write_own("other.safetensors", records, arch::to_json(other));
  EXPECT_THROW(read(temp_ / "other.safetensors"), Error);
}

}  // namespace
}  // namespace dino::weights
