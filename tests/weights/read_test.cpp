// What checkpoints look like in the wild, and files that do not fit.
#include "dino/weights/read.h"

#include <gtest/gtest.h>

#include <cstring>
#include <functional>

#include "dino/base/error.h"
#include "dino/base/json.h"
#include "dino/format/safetensors.h"
#include "dino/format/torch_file.h"
#include "dino/weights/write.h"
#include "tests/temp_dir.h"
#include "tests/weights/toy.h"

namespace dino::weights {
namespace {

namespace fs = std::filesystem;
using testing::random_weights;
using testing::toy_network;
using Rename = std::function<std::string(const std::string&)>;

class ReadTest : public ::testing::Test {
 protected:
  /** The toy's official tensors under other names; an empty name leaves the tensor out. */
  std::filesystem::path published(const std::string& kind, const Rename& rename,
                                  const char* file = "file.safetensors") {
    original_ = random_weights(toy_network(kind));
    write(temp_ / "official.safetensors", original_, {.layout = Layout::Official});
    const format::SafetensorsFile official(temp_ / "official.safetensors");
    std::vector<format::TensorRecord> records;
    for (format::TensorRecord record : official.tensors()) {
      record.name = rename(record.name);
      if (!record.name.empty()) records.push_back(record);
    }
    records.insert(records.end(), extra_.begin(), extra_.end());
    const auto path = temp_ / file;
    if (path.extension() == ".pth") {
      format::write_torch_zip(path, records);
    } else {
      format::write_safetensors(path, records);
    }
    return path;
  }
  void expect_read(const std::filesystem::path& path, const ReadOptions& options = {}) {
    const Weights back = read(path, options);
    ASSERT_EQ(back.tensors.size(), original_.tensors.size());
    for (std::size_t i = 0; i < back.tensors.size(); ++i) {
      EXPECT_EQ(back.tensors[i].name, original_.tensors[i].name);
      EXPECT_TRUE(std::ranges::equal(back.tensors[i].bytes, original_.tensors[i].bytes))
          << back.tensors[i].name;
    }
  }
  std::string message_of(const std::filesystem::path& path, const ReadOptions& options = {}) {
    return testing::message_of([&] { read(path, options); });
  }
  void add_extra(const std::string& name, std::vector<std::int64_t> shape) {
    extra_values_.emplace_back(
        static_cast<std::size_t>(format::byte_count(format::DType::F32, shape)));
    extra_.push_back({name, format::DType::F32, std::move(shape), extra_values_.back()});
  }

  test::TempDir temp_;
  Weights original_;
  std::vector<format::TensorRecord> extra_;
  std::vector<std::vector<std::byte>> extra_values_;
};

TEST_F(ReadTest, WrappersOfTrainingCheckpoints) {
  for (const char* prefix :
       {"module.", "backbone.", "module.backbone.", "teacher.backbone.", "teacher.module.backbone.",
        "model.", "state_dict.module.", "teacher.backbone._fsdp_wrapped_module.",
        "model.teacher.backbone.", "state_dict.teacher.module.backbone."}) {
    SCOPED_TRACE(prefix);
    expect_read(published("dinov2_vits14_reg", [&](const auto& name) { return prefix + name; }));
  }
}

TEST_F(ReadTest, WrappersWithinNames) {
  for (const char* wrapper : {"_fsdp_wrapped_module.", "_checkpoint_wrapped_module."}) {
    expect_read(published("dinov2_vits14", [&](const std::string& name) {
      std::string wrapped = "teacher.backbone." + name;
      return name.starts_with("blocks.1.") ? wrapped.insert(26, wrapper) : wrapped;
    }));
  }
}

TEST_F(ReadTest, HeadsAreLeftOutAndTheNetworkAskedForIsTaken) {
  add_extra("teacher.dino_head.mlp.0.weight", {4, 4});
  add_extra("teacher.ibot_head.last_layer.weight_g", {4, 1});
  add_extra("student.backbone.cls_token", {1, 1, 128});
  const auto path =
      published("dinov2_vits14", [](const auto& name) { return "teacher.backbone." + name; });
  expect_read(path);
  EXPECT_NE(message_of(path, {.network = "student", .arch = ""}).find("not the tensors"),
            std::string::npos);
}

TEST_F(ReadTest, ChunkedBlocksKeepTheirGlobalIndex) {
  expect_read(published("dinov2_vits14", [](const std::string& name) {
    if (!name.starts_with("blocks.")) return name;
    return "blocks." + std::string(name[7] == '0' ? "0." : "3.") + name.substr(7);
  }));
}

TEST_F(ReadTest, TorchFilesToo) {
  expect_read(published(
      "dinov3_vits16", [](const auto& name) { return "teacher.backbone." + name; }, "file.pth"));
}

TEST_F(ReadTest, TheKeyBiasOfDinov3IsMaskedWhateverTheFileHolds) {
  original_ = random_weights(toy_network("dinov3_vits16"));
  auto& bias =
      *std::ranges::find(original_.tensors, "blocks.0.attn.qkv.bias", &format::TensorRecord::name);
  std::vector<std::byte> poisoned(bias.bytes.begin(), bias.bytes.end());
  const float nan = std::numeric_limits<float>::quiet_NaN();
  std::memcpy(poisoned.data() + 130 * sizeof(float), &nan, sizeof nan);
  const auto clean = bias.bytes;
  bias.bytes = poisoned;
  write(temp_ / "file.pth", original_, {.layout = Layout::Official});
  const Weights back = read(temp_ / "file.pth");
  const auto& read_bias =
      *std::ranges::find(back.tensors, "blocks.0.attn.qkv.bias", &format::TensorRecord::name);
  EXPECT_TRUE(std::ranges::equal(read_bias.bytes, clean));
}

TEST_F(ReadTest, TheRopeBaseIsReadOffThePeriods) {
  original_ = random_weights(toy_network("dinov3_vits16"));
  original_.network.architecture.vit.rope_base = 64;
  write(temp_ / "file.pth", original_, {.layout = Layout::Official});
  EXPECT_NEAR(read(temp_ / "file.pth").network.architecture.vit.rope_base, 64, 0.01);
}

TEST_F(ReadTest, ListsWhatDoesNotFit) {
  const auto same = [](const std::string& name) { return name; };
  const auto without = [](const std::string& gone) {
    return [gone](const std::string& name) { return name == gone ? std::string() : name; };
  };
  EXPECT_NE(message_of(published("dinov2_vits14", without("blocks.1.norm2.bias")))
                .find("1 missing: blocks.1.norm2.bias"),
            std::string::npos);
  EXPECT_NE(message_of(published("dinov2_vits14", without("patch_embed.proj.weight")))
                .find("patch_embed.proj.weight is missing"),
            std::string::npos);
  add_extra("adapter.weight", {3});
  EXPECT_NE(message_of(published("dinov2_vits14", same)).find("1 not expected: adapter.weight"),
            std::string::npos);
  extra_.clear();
  add_extra("norm.weight", {127});
  EXPECT_NE(message_of(published("dinov2_vits14", without("norm.weight")))
                .find("norm.weight is [127], expected [128]"),
            std::string::npos);
  extra_.clear();
  const auto path = published("dinov2_vits14", same);
  EXPECT_NE(message_of(path, {.network = "teacher", .arch = "dinov2_vitl14"})
                .find("is this really a dinov2_vitl14?"),
            std::string::npos);
  EXPECT_NE(message_of(path, {.network = "teacher", .arch = "dinov2_vitl15"})
                .find("did you mean 'dinov2_vitl14'?"),
            std::string::npos);
}

TEST_F(ReadTest, RefusesWhatIsNoBackbone) {
  add_extra("conv.weight", {3, 3});
  const auto nothing = [](const std::string&) { return std::string(); };
  EXPECT_NE(
      message_of(published("dinov2_vits14", nothing)).find("none of the known naming schemes"),
      std::string::npos);
  extra_.clear();
  add_extra("teacher.cls_token", {1, 1, 8});
  add_extra("teacher.module.cls_token", {1, 1, 8});
  EXPECT_NE(message_of(published("dinov2_vits14", nothing)).find("holds several networks"),
            std::string::npos);
  extra_.clear();
  add_extra("pos_embed", {1, 8, 128});
  EXPECT_NE(message_of(published("dinov2_vits14",
                                 [](const std::string& name) {
                                   return name == "pos_embed" ? std::string() : name;
                                 }))
                .find("which is no square"),
            std::string::npos);
  EXPECT_NE(message_of(temp_ / "none.pth").find("none.pth"), std::string::npos);
}

// Each library's own way to resample the position table, unless the caller says which.
TEST_F(ReadTest, PositionsAreTheSourcesUnlessTheCallerSays) {
  const auto positions_of = [&](const fs::path& path, std::optional<arch::Positions> given = {}) {
    return read(path, {.network = "teacher", .arch = "", .positions = given})
        .network.architecture.vit.positions;
  };
  for (const char* kind : {"dino_vits16", "dinov2_vits14", "dinov2_vits14_reg"}) {
    SCOPED_TRACE(kind);
    const bool registers = std::string_view(kind).ends_with("_reg");
    const Weights weights = random_weights(toy_network(kind));
    const auto papers =
        registers ? arch::Positions::LearnedAntialias : arch::Positions::LearnedOffset;
    for (const auto& [layout, file] :
         {std::pair(Layout::Official, "a.pth"), {Layout::Timm, "t.pth"}}) {
      write(temp_ / file, weights, {.layout = layout, .allow_loss = true});
      EXPECT_EQ(positions_of(temp_ / file), papers);
    }
    const std::string folder = fmt::format("hf_{}", kind);
    write(temp_ / folder, weights, {.layout = Layout::HuggingFace});
    EXPECT_EQ(positions_of(temp_ / folder), registers ? papers : arch::Positions::LearnedSize);
    EXPECT_EQ(positions_of(temp_ / folder, arch::Positions::LearnedOffset),
              arch::Positions::LearnedOffset);
    // Ours keep what was said.
    const Weights chosen =
        read(temp_ / "a.pth",
             {.network = "teacher", .arch = "", .positions = arch::Positions::LearnedSize});
    write(temp_ / "ours.safetensors", chosen, {});
    EXPECT_EQ(positions_of(temp_ / "ours.safetensors"), arch::Positions::LearnedSize);
    EXPECT_THROW(positions_of(temp_ / "a.pth", arch::Positions::Rope), Error);
  }
  write(temp_ / "v3.pth", random_weights(toy_network("dinov3_vits16")),
        {.layout = Layout::Official});
  EXPECT_NE(
      message_of(temp_ / "v3.pth",
                 {.network = "teacher", .arch = "", .positions = arch::Positions::LearnedSize})
          .find("no learned table"),
      std::string::npos);
}

TEST_F(ReadTest, HuggingFaceConfigsAreBelieved) {
  original_ = random_weights(toy_network("dinov2_vits14"));
  original_.network.architecture.vit.heads = 4;
  original_.network.preprocess.mean = {0.5, 0.5, 0.5};
  write(temp_ / "folder", original_, {.layout = Layout::HuggingFace});
  const Weights back = read(temp_ / "folder");
  EXPECT_EQ(back.network.architecture.vit.heads, 4);
  EXPECT_EQ(back.network.preprocess.mean, original_.network.preprocess.mean);
  write_json_file(temp_ / "folder" / "config.json", {{"num_attention_heads", "six"}});
  EXPECT_NE(message_of(temp_ / "folder").find("config.json"), std::string::npos);
}

}  // namespace
}  // namespace dino::weights
