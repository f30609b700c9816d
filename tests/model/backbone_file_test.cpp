// Weight files: what is saved comes back, and files that do not fit are refused by name.
#include "dino/model/backbone_file.h"

#include <ATen/CPUGeneratorImpl.h>
#include <gtest/gtest.h>
#include <torch/types.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "dino/base/error.h"
#include "dino/format/safetensors.h"
#include "dino/model/tensor_bridge.h"

namespace dino::model {
namespace {

class WeightsTest : public testing::Test {
 protected:
  WeightsTest() { std::filesystem::create_directories(folder_); }
  ~WeightsTest() override { std::filesystem::remove_all(folder_); }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }

  std::filesystem::path folder_ =
      std::filesystem::temp_directory_path() / ("dino_weights_" + std::to_string(getpid()));
  arch::Network network_ = small_network();

  static arch::Network small_network() {
    arch::Network network;
    network.architecture.channels = 1;
    network.architecture.image_size = 8;
    network.architecture.vit = {.dim = 16, .depth = 2, .heads = 2, .hidden = 64, .patch_size = 4};
    network.preprocess = {.image_size = 8, .channels = 1, .mean = {0.3}, .std = {0.4}};
    return network;
  }
  std::shared_ptr<Backbone> backbone() const {
    return make_backbone(network_.architecture, {}, at::detail::createCPUGenerator(1));
  }
};

TEST_F(WeightsTest, ComesBackAsSaved) {
  const auto saved = backbone();
  std::filesystem::create_directories(folder_ / "weights");
  std::ofstream(folder_ / "recipe.toml") << "";
  save_backbone(path("weights/backbone_teacher.safetensors"), *saved, network_);
  const auto [loaded, network, notes] = load_backbone(folder_);  // as a run directory
  EXPECT_EQ(network, network_);
  const torch::Tensor image = torch::arange(64, torch::kFloat32).view({1, 1, 8, 8}) / 64;
  const auto want = saved->forward_features(image).patches;
  EXPECT_LT((want - loaded->forward_features(image).patches).abs().max().item<double>(), 1e-5);
  for (const auto& parameter : loaded->named_parameters())
    EXPECT_TRUE(torch::equal(parameter.value(), saved->named_parameters()[parameter.key()]))
        << parameter.key();
}

// Nothing of the file is borrowed then: it must not be touched once it is unmapped.
TEST_F(WeightsTest, FilesWithoutFloatsOfFourBytesCanBeUsed) {
  const auto saved = backbone();
  save_backbone(path("fp32.safetensors"), *saved, network_);
  const torch::Tensor image = torch::arange(64, torch::kFloat32).view({1, 1, 8, 8}) / 64;
  for (const auto type : {torch::kFloat64, torch::kFloat16, torch::kBFloat16}) {
    std::vector<torch::Tensor> tensors;
    std::vector<format::TensorRecord> records;
    const auto expected = backbone();
    const torch::NoGradGuard no_grad;
    for (auto& parameter : expected->named_parameters()) {
      tensors.push_back(parameter.value().to(type));
      records.push_back(to_record(parameter.key(), tensors.back()));
      parameter.value().copy_(tensors.back());
    }
    const std::string file = path("other.safetensors");
    format::write_safetensors(file, records,
                              format::SafetensorsFile(path("fp32.safetensors")).metadata());
    const auto loaded = load_backbone(file).backbone;
    std::filesystem::remove(file);
    // What the allocator maps next may lie where the file lay.
    const torch::Tensor neighbor = torch::ones({1 << 22});
    const auto features = loaded->forward_features(image);
    EXPECT_LT(
        (features.patches - expected->forward_features(image).patches).abs().max().item<double>(),
        1e-5);
    EXPECT_EQ(neighbor.min().item<float>(), 1);
  }
}

TEST_F(WeightsTest, NumbersThatAreNoneAreRefusedAtLoading) {
  const auto saved = backbone();
  {
    const torch::NoGradGuard no_grad;
    saved->named_parameters()["blocks.1.attn.proj.bias"][3] = std::nanf("");
  }
  save_backbone(path("nan.safetensors"), *saved, network_);
  try {
    load_backbone(path("nan.safetensors"));
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("nan.safetensors: blocks.1.attn.proj.bias"),
              std::string::npos)
        << error.what();
  }
}

TEST_F(WeightsTest, ReadsTheFilesOfVersion01) {
  const auto saved = backbone();
  save_backbone(path("new.safetensors"), *saved, network_);
  const format::SafetensorsFile file(path("new.safetensors"));
  format::write_safetensors(
      path("old.safetensors"), file.tensors(),
      {{"dino",
        R"({"version":1,"backbone":{"arch":"vit","patch_size":4,"dim":16,"depth":2,"heads":2,)"
        R"("mlp_ratio":4.0,"drop_path":0.0},"channels":1,"image_size":8,"mean":[0.3],"std":[0.4]})"}});
  EXPECT_EQ(load_backbone(path("old.safetensors")).network, network_);
}

TEST_F(WeightsTest, RefusesWhatDoesNotFit) {
  const auto message_of = [](const std::string& file) -> std::string {
    try {
      load_backbone(file);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_NE(message_of(path("none.safetensors")).find("none.safetensors"), std::string::npos);
  std::ofstream(folder_ / "recipe.toml") << "";
  EXPECT_NE(message_of(folder_.string()).find("backbone_teacher"), std::string::npos);

  format::write_safetensors(path("plain.safetensors"), {});
  EXPECT_NE(message_of(path("plain.safetensors")).find("naming schemes"), std::string::npos);
  format::write_safetensors(path("odd.safetensors"), {}, {{"dino", "{\"version\": 1}"}});
  EXPECT_NE(message_of(path("odd.safetensors")).find("cannot be used"), std::string::npos);
  format::write_safetensors(path("future.safetensors"), {}, {{"dino", "{\"version\": 99}"}});
  EXPECT_NE(message_of(path("future.safetensors")).find("newer version"), std::string::npos);

  auto wrong = network_;
  wrong.architecture.vit.depth = 3;
  save_backbone(path("deep.safetensors"), *backbone(), wrong);
  EXPECT_NE(message_of(path("deep.safetensors")).find("missing: blocks.2."), std::string::npos);
  wrong.architecture.vit.depth = 1;
  save_backbone(path("shallow.safetensors"), *backbone(), wrong);
  EXPECT_NE(message_of(path("shallow.safetensors")).find("not expected"), std::string::npos);
  wrong.architecture.vit.depth = 2;
  wrong.architecture.image_size = 12;
  save_backbone(path("large.safetensors"), *backbone(), wrong);
  EXPECT_NE(message_of(path("large.safetensors")).find("pos_embed"), std::string::npos);
}

}  // namespace
}  // namespace dino::model
