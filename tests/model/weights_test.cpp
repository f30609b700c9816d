// Weight files: what is saved comes back, and files that do not fit are refused by name.
#include "dino/model/weights.h"

#include <ATen/CPUGeneratorImpl.h>
#include <gtest/gtest.h>
#include <torch/torch.h>
#include <unistd.h>

#include <filesystem>

#include "dino/base/error.h"
#include "dino/format/safetensors.h"

namespace dino::model {
namespace {

class WeightsTest : public testing::Test {
 protected:
  WeightsTest() { std::filesystem::create_directories(folder_); }
  ~WeightsTest() override { std::filesystem::remove_all(folder_); }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }

  std::filesystem::path folder_ =
      std::filesystem::temp_directory_path() / ("dino_weights_" + std::to_string(getpid()));
  WeightsInfo info_{.backbone = {.arch = "vit", .patch_size = 4, .dim = 16, .depth = 2, .heads = 2},
                    .channels = 1,
                    .image_size = 8,
                    .mean = {0.3},
                    .std = {0.4}};
};

TEST_F(WeightsTest, ComesBackAsSaved) {
  const auto backbone = make_backbone(info_.backbone, 1, 8, 0.0, at::detail::createCPUGenerator(1));
  std::filesystem::create_directories(folder_ / "weights");
  save_backbone(path("weights/backbone_teacher.safetensors"), *backbone, info_);
  const auto [loaded, info] = load_backbone(folder_.string());  // as a run directory
  EXPECT_EQ(info.mean, info_.mean);
  EXPECT_EQ(info.image_size, 8);
  EXPECT_EQ(info.backbone.dim, 16);
  const torch::Tensor image = torch::arange(64, torch::kFloat32).view({1, 1, 8, 8}) / 64;
  EXPECT_TRUE(torch::equal(backbone->forward_features(image).patches,
                           loaded->forward_features(image).patches));
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
  EXPECT_NE(message_of(folder_.string()).find("backbone_teacher"), std::string::npos);

  format::write_safetensors(path("plain.safetensors"), {});
  EXPECT_NE(message_of(path("plain.safetensors")).find("architecture is unknown"),
            std::string::npos);
  format::write_safetensors(path("odd.safetensors"), {}, {{"dino", "{\"version\": 1}"}});
  EXPECT_NE(message_of(path("odd.safetensors")).find("cannot be used"), std::string::npos);

  const auto backbone = make_backbone(info_.backbone, 1, 8, 0.0, at::detail::createCPUGenerator(1));
  auto wrong = info_;
  wrong.backbone.depth = 3;
  save_backbone(path("deep.safetensors"), *backbone, wrong);
  EXPECT_NE(message_of(path("deep.safetensors")).find("blocks.2.norm1.weight is missing"),
            std::string::npos);
  wrong.backbone.depth = 1;
  save_backbone(path("shallow.safetensors"), *backbone, wrong);
  EXPECT_NE(message_of(path("shallow.safetensors")).find("not expected"), std::string::npos);
  wrong.backbone.depth = 2;
  wrong.image_size = 12;
  save_backbone(path("large.safetensors"), *backbone, wrong);
  EXPECT_NE(message_of(path("large.safetensors")).find("pos_embed"), std::string::npos);
}

}  // namespace
}  // namespace dino::model
