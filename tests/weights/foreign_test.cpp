// Weights as other programs save them: every float type alone, numbers that are none, prefixes of
// any training code, DINOv3's stored periods, and the settings beside the weights.
#include <gtest/gtest.h>

#include <cstring>
#include <limits>

#include "dino/base/half.h"
#include "dino/base/json.h"
#include "dino/format/floats.h"
#include "dino/format/safetensors.h"
#include "dino/format/torch_file.h"
#include "dino/weights/read.h"
#include "dino/weights/write.h"
#include "tests/temp_dir.h"
#include "tests/weights/toy.h"

namespace dino::weights {
namespace {

namespace fs = std::filesystem;
using format::DType;
using testing::random_weights;
using testing::toy_network;
using Bytes = std::vector<std::byte>;

template <typename Stored>
Bytes stored_as(std::span<const float> values, Stored (*convert)(float)) {
  Bytes bytes(values.size() * sizeof(Stored));
  for (std::size_t i = 0; i < values.size(); ++i) {
    const Stored stored = convert(values[i]);
    std::memcpy(bytes.data() + i * sizeof(Stored), &stored, sizeof(Stored));
  }
  return bytes;
}

Bytes to_type(std::span<const float> values, DType dtype) {
  switch (dtype) {
    case DType::F64:
      return stored_as<double>(values, [](float x) { return static_cast<double>(x); });
    case DType::F16:
      return stored_as<std::uint16_t>(values, [](float x) { return float_to_half(x); });
    case DType::BF16:
      return stored_as<std::uint16_t>(values, [](float x) {
        return static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(x) >> 16);
      });
    default:
      return stored_as<float>(values, [](float x) { return x; });
  }
}

format::TensorRecord record_of(std::string name, DType dtype, std::vector<std::int64_t> shape,
                               Bytes bytes) {
  const auto owner = std::make_shared<const Bytes>(std::move(bytes));
  return {std::move(name), dtype, std::move(shape), *owner, owner};
}

class ForeignTest : public ::testing::Test {
 protected:
  /** The toy's tensors in the papers' names. */
  std::vector<format::TensorRecord> official(const std::string& kind) {
    write(temp_ / "toy.safetensors", random_weights(toy_network(kind)),
          {.layout = Layout::Official, .allow_loss = true});
    return format::SafetensorsFile(temp_ / "toy.safetensors").tensors();
  }
  static std::vector<format::TensorRecord> with_prefix(std::vector<format::TensorRecord> records,
                                                       const std::string& prefix) {
    for (auto& record : records) record.name = prefix + record.name;
    return records;
  }
  fs::path save(const std::vector<format::TensorRecord>& records, const char* name = "a.pth") {
    if (fs::path(name).extension() == ".pth") {
      format::write_torch_zip(temp_ / name, records);
    } else {
      format::write_safetensors(temp_ / name, records);
    }
    return temp_ / name;
  }
  static std::string message(const fs::path& path, const ReadOptions& options = {}) {
    return testing::message_of([&] { read(path, options); });
  }
  static bool mentions(const std::vector<std::string>& notes, std::string_view what) {
    return std::ranges::any_of(notes, [&](const auto& n) { return n.find(what) != n.npos; });
  }

  /** Files of each float type alone, in both containers, can be used when they are gone. */
  void expect_one_type(const char* kind) {
    for (const DType dtype : {DType::F32, DType::F64, DType::F16, DType::BF16}) {
      for (const char* file : {"one.safetensors", "one.pth"}) {
        SCOPED_TRACE(fmt::format("{} {} {}", kind, format::dtype_name(dtype), file));
        std::vector<format::TensorRecord> records;
        for (const auto& record : official(kind))
          records.push_back(record.dtype == DType::I64
                                ? record
                                : record_of(record.name, dtype, record.shape,
                                            to_type(format::to_floats(record), dtype)));
        const Weights weights = read(save(records, file));
        fs::remove(temp_ / file);  // the records keep the mapping
        for (const auto& tensor : weights.tensors) {
          EXPECT_NE(tensor.owner, nullptr) << tensor.name;
          EXPECT_TRUE(tensor.dtype == DType::I64 || tensor.dtype == dtype) << tensor.name;
        }
        EXPECT_NO_THROW(require_finite(weights));
      }
    }
  }

  test::TempDir temp_;
};

// ---- Types --------------------------------------------------------------------------------------

TEST_F(ForeignTest, AFileOfOneTypeOutlivesItsReader) {
  for (const char* kind : {"dino_vits16", "dinov2_vits14_reg", "dinov3_vits16"})
    expect_one_type(kind);
}

using ForeignSlow = ForeignTest;
TEST_F(ForeignSlow, AFileOfOneTypeOutlivesItsReader) {
  for (const char* kind : {"dino_resnet50", "dinov3_convnext_tiny", "dino_xcit_small_12_p16"})
    expect_one_type(kind);
}

TEST_F(ForeignTest, NumbersThatAreNoneAreRefusedByName) {
  const float nan = std::nanf(""), inf = std::numeric_limits<float>::infinity();
  for (const DType dtype : {DType::F32, DType::F64, DType::F16, DType::BF16})
    for (const float bad : {nan, inf, -inf}) {
      auto records = official("dinov2_vits14");
      auto& victim =
          *std::ranges::find(records, "blocks.1.mlp.fc2.weight", &format::TensorRecord::name);
      std::vector<float> values = format::to_floats(victim);
      values.back() = bad;
      victim = record_of(victim.name, dtype, victim.shape, to_type(values, dtype));
      const Weights weights = read(save(records));
      const std::string why = testing::message_of([&] { require_finite(weights); });
      EXPECT_NE(why.find("a.pth: blocks.1.mlp.fc2.weight"), std::string::npos) << why;
      EXPECT_NE(why.find("not finite"), std::string::npos) << why;
    }
  // Heads too.
  Weights weights = random_weights(toy_network("dinov2_vits14"));
  Head head = testing::random_head("classifier", {.kind = HeadKind::Classifier,
                                                  .in_dim = 128,
                                                  .outputs = 3,
                                                  .layers = 0,
                                                  .weight_norm = false});
  const std::vector<float> infinite(3, inf);
  head.tensors[1] = record_of("bias", DType::F32, {3}, to_type(infinite, DType::F32));
  weights.heads.push_back(head);
  EXPECT_NO_THROW(require_finite(weights));  // who needs features needs no head
  EXPECT_NE(testing::message_of([&] { require_finite(weights, true); }).find("classifier.bias"),
            std::string::npos);
}

TEST_F(ForeignTest, QuantizedWeightsAreRefused) {
  for (const DType dtype : {DType::I8, DType::U8, DType::I32, DType::I64, DType::Bool,
                            DType::F8_E4M3, DType::F8_E5M2}) {
    auto records = official("dino_vits16");
    auto& victim =
        *std::ranges::find(records, "blocks.0.attn.qkv.weight", &format::TensorRecord::name);
    const auto count = static_cast<std::size_t>(format::element_count(victim.shape));
    victim = record_of(victim.name, dtype, victim.shape, Bytes(count * format::item_bytes(dtype)));
    const std::string why = message(save(records, "q.safetensors"));
    EXPECT_NE(why.find(fmt::format("blocks.0.attn.qkv.weight is stored as {}",
                                   format::dtype_name(dtype))),
              std::string::npos)
        << why;
  }
  // A counter of batches is an integer, and nothing else.
  auto records = official("dino_resnet50");
  auto& counter =
      *std::ranges::find(records, "bn1.num_batches_tracked", &format::TensorRecord::name);
  const std::vector<float> one = {1};
  counter = record_of(counter.name, DType::F32, counter.shape, to_type(one, DType::F32));
  EXPECT_NE(message(save(records)).find("bn1.num_batches_tracked is stored as F32"),
            std::string::npos);
}

// ---- Prefixes -----------------------------------------------------------------------------------

TEST_F(ForeignTest, AnyOnePrefixIsTakenOffAndSaid) {
  const auto plain = official("dinov2_vits14");
  for (const char* prefix :
       {"encoder.", "model_state_dict.", "_method.teacher_embedding.wrapped._model.",
        "net.features.", "model.model.encoder.vision_tower."}) {
    SCOPED_TRACE(prefix);
    const Weights weights = read(save(with_prefix(plain, prefix)));
    EXPECT_EQ(weights.tensors.size(), random_weights(toy_network("dinov2_vits14")).tensors.size());
    EXPECT_EQ(mentions(weights.notes, "names begin with"),
              std::string_view(prefix) != "model_state_dict.");
    EXPECT_NO_THROW(read(temp_ / "a.pth", {.prefix = prefix}));
  }
  EXPECT_NE(message(temp_ / "a.pth", {.prefix = "other"}).find("no tensor begins with 'other.'"),
            std::string::npos);
}

TEST_F(ForeignTest, WhatTrainingKeepsBesideIsLeftOut) {
  for (const char* prefix : {"model.", "state_dict.", ""}) {
    SCOPED_TRACE(prefix);
    auto records = with_prefix(official("dinov2_vits14"), prefix);
    const Bytes some(16);
    for (const char* name :
         {"optimizer.state.0.exp_avg", "optimizer.state.cls_token", "rng_state", "cuda_rng_state",
          "scaler._scale", "lr_schedulers.0.x", "optimizer_states.0.state.1.step"})
      records.push_back(record_of(name, DType::F32, {4}, some));
    const Weights weights = read(save(records));
    EXPECT_EQ(weights.ignored.size(), 7u) << fmt::format("{}", fmt::join(weights.ignored, " "));
  }
}

TEST_F(ForeignTest, TeachersAreToldByTheirNames) {
  const auto first = official("dinov2_vits14");
  auto second = first;
  second[0] = record_of(second[0].name, DType::F32, second[0].shape, Bytes(second[0].bytes.size()));
  const auto is_second = [&](const Weights& weights) {
    const auto found =
        std::ranges::find(weights.tensors, second[0].name, &format::TensorRecord::name);
    return all_zero(found->bytes);
  };
  struct Case {
    const char *student, *teacher;
  };
  for (const auto& [student, teacher] :
       {Case{"student.", "teacher."}, Case{"model.", "model_ema."},
        Case{"state_dict.", "state_dict_ema."}, Case{"student_backbone.", "teacher_backbone."},
        Case{"backbone.", "backbone_momentum."}, Case{"online_network.net.", "target_network.net."},
        Case{"module.encoder.", "module.ema.encoder."},
        Case{"module.encoder_q.", "module.encoder_k."}, Case{"model.", "avg.module."}}) {
    SCOPED_TRACE(teacher);
    auto records = with_prefix(first, student);
    for (const auto& record : with_prefix(second, teacher)) records.push_back(record);
    const fs::path path = save(records);
    EXPECT_TRUE(is_second(read(path)));
    EXPECT_TRUE(is_second(read(path, {.network = "teacher"})));
    EXPECT_FALSE(is_second(read(path, {.network = "student"})));
    EXPECT_FALSE(is_second(read(path, {.prefix = student})));
    EXPECT_TRUE(is_second(read(path, {.prefix = teacher})));
  }
  const Weights alone = read(save(with_prefix(first, "student.backbone.")));
  EXPECT_TRUE(mentions(alone.notes, "a student alone"));
  EXPECT_NE(message(temp_ / "a.pth", {.network = "teacher"}).find("holds no teacher"),
            std::string::npos);
  auto both = with_prefix(first, "left.");
  for (const auto& record : with_prefix(second, "right.")) both.push_back(record);
  const std::string why = message(save(both));
  EXPECT_NE(why.find("'left.', 'right.'"), std::string::npos) << why;
  EXPECT_NE(why.find("--prefix"), std::string::npos) << why;
  EXPECT_TRUE(is_second(read(temp_ / "a.pth", {.prefix = "right"})));
}

TEST_F(ForeignTest, HeadsOfOtherNetworksStayTheirs) {
  const Head mine = testing::random_head(
      "dino_head", {.in_dim = 128, .outputs = 8, .hidden = 16, .bottleneck = 4});
  auto records = with_prefix(official("dinov2_vits14"), "teacher.backbone.");
  for (const auto& record : with_prefix(official("dinov2_vits14"), "student.backbone."))
    records.push_back(record);
  for (const auto& record : with_prefix(mine.tensors, "student.dino_head."))
    records.push_back(record);
  const fs::path path = save(records);
  EXPECT_TRUE(read(path).heads.empty());
  EXPECT_EQ(read(path, {.network = "student"}).heads.size(), 1u);
}

// ---- Positions and channels ---------------------------------------------------------------------

TEST_F(ForeignTest, StoredPeriodsAreUsed) {
  const auto rounded = [](std::vector<float> periods) {
    for (float& p : periods)
      p = std::bit_cast<float>((std::bit_cast<std::uint32_t>(p) + 0x8000U) & 0xFFFF0000U);
    return periods;
  };
  const arch::Network network = toy_network("dinov3_vits16");
  const std::vector<float> exact = arch::rope_periods(network.architecture.vit);
  for (const DType dtype : {DType::F32, DType::F64, DType::F16, DType::BF16}) {
    SCOPED_TRACE(format::dtype_name(dtype));
    auto records = official("dinov3_vits16");
    auto& periods = *std::ranges::find(records, "rope_embed.periods", &format::TensorRecord::name);
    periods = record_of(periods.name, dtype, periods.shape, to_type(rounded(exact), dtype));
    const std::vector<float> expected = format::to_floats(periods);
    ASSERT_NE(expected, exact);
    const Weights weights = read(save(records));
    EXPECT_EQ(arch::rope_periods(weights.network.architecture.vit), expected);
    // They stay with our own files and the papers', and are told to be lost by nobody.
    write(temp_ / "ours.safetensors", weights, {});
    EXPECT_EQ(read(temp_ / "ours.safetensors").network, weights.network);
    write(temp_ / "papers.pth", weights, {.layout = Layout::Official});
    EXPECT_EQ(arch::rope_periods(read(temp_ / "papers.pth").network.architecture.vit), expected);
  }
  EXPECT_TRUE(read(save(official("dinov3_vits16"))).network.architecture.vit.rope_periods.empty());
  for (const float bad : {0.0F, -1.0F, std::nanf(""), std::numeric_limits<float>::infinity()}) {
    auto records = official("dinov3_vits16");
    auto& periods = *std::ranges::find(records, "rope_embed.periods", &format::TensorRecord::name);
    std::vector<float> values = exact;
    values[2] = bad;
    periods = record_of(periods.name, DType::F32, periods.shape, to_type(values, DType::F32));
    EXPECT_NE(message(save(records)).find("rope_embed.periods"), std::string::npos);
  }
}

TEST_F(ForeignTest, AMissingPositionTableIsMissing) {
  for (const char* kind : {"dino_vits16", "dinov2_vits14", "dinov2_vitg14", "dinov2_vits14_reg"}) {
    SCOPED_TRACE(kind);
    auto records = official(kind);
    std::erase_if(records, [](const auto& record) { return record.name == "pos_embed"; });
    EXPECT_NE(message(save(records)).find("pos_embed is missing"), std::string::npos)
        << message(temp_ / "a.pth");
  }
}

TEST_F(ForeignTest, ManyBandsAreReadAsTheyAre) {
  for (const std::int64_t bands : {1, 4, 13}) {
    auto records = official("dinov2_vits14");
    auto& patch =
        *std::ranges::find(records, "patch_embed.proj.weight", &format::TensorRecord::name);
    auto shape = patch.shape;
    shape[1] = bands;
    const auto bytes = static_cast<std::size_t>(format::byte_count(DType::F32, shape));
    patch = record_of(patch.name, DType::F32, shape, Bytes(bytes));
    const data::Preprocess p = read(save(records)).network.preprocess;
    EXPECT_EQ(p.channels, bands);
    EXPECT_EQ(p.full_range, bands > 3);
    EXPECT_NO_THROW(data::validate(p));
  }
}

// ---- Settings beside the weights ----------------------------------------------------------------

class ConfigTest : public ForeignTest {
 protected:
  fs::path hf(const std::string& kind, const std::string& key, const nlohmann::json& value) {
    write(temp_ / kind, random_weights(toy_network(kind)), {.layout = Layout::HuggingFace});
    const fs::path path = temp_ / kind / "config.json";
    nlohmann::json json = read_json_file(path);
    json[key] = value;
    write_json_file(path, json);
    return temp_ / kind;
  }
  fs::path timm(const nlohmann::json& config) {
    write(temp_ / "model.safetensors", random_weights(toy_network("dinov2_vits14")),
          {.layout = Layout::Timm, .allow_loss = true});
    write_json_file(temp_ / "config.json", config);
    return temp_.path();
  }
};

TEST_F(ConfigTest, TransformersKeysAreObeyedOrNamed) {
  const auto refused = [&](const char* kind, const std::string& key, const nlohmann::json& value) {
    const std::string why = message(hf(kind, key, value));
    EXPECT_NE(why.find(fmt::format("{} = {}", key, value.dump())), std::string::npos) << why;
  };
  for (const char* act : {"relu", "silu", "quick_gelu", "gelu_new", "gelu_pytorch_tanh"}) {
    refused("dino_vits16", "hidden_act", act);
    refused("dinov2_vits14", "hidden_act", act);
    refused("dinov3_vits16", "hidden_act", act);
    refused("dinov3_convnext_tiny", "hidden_act", act);
  }
  refused("dinov3_vits16plus", "hidden_act", "gelu");
  refused("dinov2_vits14", "hidden_size", 384);
  refused("dinov2_vits14", "num_hidden_layers", 12);
  refused("dinov2_vits14", "num_channels", 1);
  refused("dinov2_vits14", "patch_size", 16);
  refused("dinov2_vits14", "num_attention_heads", "six");
  refused("dinov2_vits14", "num_attention_heads", 1.5);
  refused("dinov2_vits14", "num_attention_heads", true);
  refused("dinov2_vits14", "hidden_size", 1e300);
  refused("dinov2_vits14_reg", "num_register_tokens", 8);
  refused("dino_vits16", "intermediate_size", 7);
  refused("dinov3_vits16", "rope_scaling", {{"factor", 2}});
  EXPECT_NE(
      message(hf("dinov3_vits16", "rope_parameters", {{"rope_type", "linear"}})).find("rope_type"),
      std::string::npos);
  EXPECT_EQ(message(hf("dinov2_vitg14", "hidden_act", "gelu")), "(no error)");  // gated by SiLU
  EXPECT_EQ(message(hf("dinov3_vits16plus", "hidden_act", "silu")), "(no error)");
  EXPECT_TRUE(mentions(read(hf("dinov2_vits14", "magic", 1)).notes, "magic"));
  for (const char* key : {"drop_path_rate", "initializer_range", "transformers_version"})
    EXPECT_FALSE(mentions(read(hf("dinov2_vits14", key, 1)).notes, key));
  EXPECT_FALSE(mentions(read(hf("dinov2_vits14", "num_attention_heads", 4)).notes, "assumed"));
  fs::remove(temp_ / "dinov2_vits14" / "config.json");
  EXPECT_TRUE(mentions(read(temp_ / "dinov2_vits14").notes, "heads of 64 assumed"));
}

TEST_F(ConfigTest, TimmsConfigIsBelieved) {
  const nlohmann::json good = {{"input_size", {3, 56, 56}}, {"mean", {0.5, 0.4, 0.3}},
                               {"std", {0.2, 0.3, 0.4}},    {"interpolation", "bilinear"},
                               {"crop_pct", 0.9},           {"license", "x"}};
  const auto wrapped = [](const nlohmann::json& config) {
    return nlohmann::json{{"architecture", "vit_small_patch14_dinov2"}, {"pretrained_cfg", config}};
  };
  const auto with = [&](const char* key, const nlohmann::json& value) {
    nlohmann::json json = good;
    json[key] = value;
    return wrapped(json);
  };
  data::Preprocess expected = read(timm(wrapped(good))).network.preprocess;
  EXPECT_EQ(expected.image_size, 56);
  EXPECT_EQ(expected.resize, 62);  // 56 / 0.9, rounded down
  EXPECT_EQ(expected.fit, data::Fit::CenterCrop);
  EXPECT_EQ(expected.filter, image::Filter::Bilinear);
  EXPECT_EQ(expected.mean, (std::vector<double>{0.5, 0.4, 0.3}));
  EXPECT_FALSE(expected.crop_rounds_down);
  nlohmann::json flat = good;  // before timm 0.9
  flat["architecture"] = "vit_small_patch14_dinov2";
  EXPECT_EQ(read(timm(flat)).network.preprocess, expected);
  const auto squash = read(
      timm(wrapped({{"input_size", {3, 28, 28}}, {"crop_pct", 1.0}, {"crop_mode", "squash"}})));
  EXPECT_EQ(squash.network.preprocess.fit, data::Fit::Stretch);
  for (const auto& [key, value] :
       {std::pair<const char*, nlohmann::json>{"input_size", {3, 56, 70}},
        {"input_size", {1, 56, 56}},
        {"input_size", 56},
        {"crop_pct", 0},
        {"crop_pct", 1.5},
        {"crop_pct", 1e-9},
        {"crop_mode", "border"},
        {"crop_mode", "squash"},
        {"interpolation", "random"},
        {"interpolation", "box"},
        {"mean", {0.5}},
        {"std", 7}})
    EXPECT_NE(message(timm(with(key, value))).find(fmt::format("{} = {}", key, value.dump())),
              std::string::npos)
        << key << value;
  EXPECT_TRUE(mentions(read(timm(with("magic", 1))).notes, "magic"));
  nlohmann::json arguments = wrapped(good);
  arguments["model_args"] = {{"num_heads", 4}, {"img_size", 56}};
  const Weights weights = read(timm(arguments));
  EXPECT_EQ(weights.network.architecture.vit.heads, 4);
  EXPECT_FALSE(mentions(weights.notes, "assumed"));
  arguments["model_args"]["act_layer"] = "relu";
  EXPECT_NE(message(timm(arguments)).find("act_layer"), std::string::npos);
  // Somebody else's config.json beside the papers' names says nothing.
  EXPECT_EQ(read(timm({{"lr", 1}})).network.preprocess.mean, data::Preprocess{}.mean);
}

}  // namespace
}  // namespace dino::weights
