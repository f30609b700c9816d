#include "dino/weights/hf_config.h"

#include "dino/base/error.h"
#include "dino/base/file.h"
#include "dino/base/json.h"
#include "dino/base/text.h"

namespace dino::weights {
namespace {

namespace fs = std::filesystem;

/** PIL's numbers of resampling filters. */
constexpr int kPilLanczos = 1, kPilBilinear = 2, kPilBicubic = 3;

template <typename T>
void take(const nlohmann::json& json, const char* key, T& value) {
  if (const auto found = json.find(key); found != json.end() && !found->is_null())
    found->get_to(value);
}

void take_vit(const nlohmann::json& json, arch::Vit& v) {
  take(json, "num_attention_heads", v.heads);
  take(json, "layer_norm_eps", v.norm_eps);
  if (v.positions == arch::Positions::Rope) {
    take(json, "rope_theta", v.rope_base);
    if (const auto found = json.find("rope_parameters"); found != json.end() && found->is_object())
      take(*found, "rope_theta", v.rope_base);
  }
}

void take_preprocessor(const nlohmann::json& json, data::Preprocess& p) {
  take(json, "image_mean", p.mean);
  take(json, "image_std", p.std);
  int filter = 0;
  take(json, "resample", filter);
  if (filter == kPilBilinear) p.filter = image::Filter::Bilinear;
  if (filter == kPilBicubic) p.filter = image::Filter::Bicubic;
  if (filter == kPilLanczos) p.filter = image::Filter::Lanczos;
  const auto size = json.find("size");
  if (size == json.end() || !size->is_object()) return;
  if (size->contains("shortest_edge")) {
    p.fit = data::Fit::CenterCrop;
    size->at("shortest_edge").get_to(p.resize);
    p.image_size = p.resize;
    if (const auto crop = json.find("crop_size"); crop != json.end() && crop->is_object())
      take(*crop, "height", p.image_size);
  } else if (size->contains("height")) {
    p.fit = data::Fit::Stretch;
    p.resize = 0;
    size->at("height").get_to(p.image_size);
  }
}

bool rope(const arch::Architecture& a) {
  return a.vit.positions == arch::Positions::Rope;
}

nlohmann::json vit_config(const arch::Architecture& a) {
  const arch::Vit& v = a.vit;
  nlohmann::json json = {{"hidden_size", v.dim},           {"num_hidden_layers", v.depth},
                         {"num_attention_heads", v.heads}, {"patch_size", v.patch_size},
                         {"num_channels", a.channels},     {"image_size", a.image_size},
                         {"layer_norm_eps", v.norm_eps},   {"attention_probs_dropout_prob", 0.0},
                         {"hidden_dropout_prob", 0.0},     {"torch_dtype", "float32"}};
  if (rope(a)) {
    json["model_type"] = "dinov3_vit";
    json["architectures"] = {"DINOv3ViTModel"};
    json["intermediate_size"] = v.hidden;
    json["use_gated_mlp"] = v.ffn == arch::Ffn::SwiGlu;
    json["hidden_act"] = v.ffn == arch::Ffn::SwiGlu ? "silu" : "gelu";
    json["query_bias"] = json["value_bias"] = v.qkv_bias;
    json["key_bias"] = v.qkv_bias && !v.mask_key_bias;
    json["proj_bias"] = json["mlp_bias"] = true;
    json["rope_theta"] = v.rope_base;
    json["num_register_tokens"] = v.registers;
    json["attention_dropout"] = json["drop_path_rate"] = 0.0;
    json["layerscale_value"] = 1.0;
    return json;
  }
  json["qkv_bias"] = v.qkv_bias;
  json["hidden_act"] = "gelu";
  if (!v.layer_scale) {
    json["model_type"] = "vit";
    json["architectures"] = {"ViTModel"};
    json["intermediate_size"] = v.hidden;
    return json;
  }
  json["mlp_ratio"] = 4;
  json["layerscale_value"] = 1.0;
  json["use_swiglu_ffn"] = v.ffn == arch::Ffn::SwiGlu;
  json["use_mask_token"] = v.mask_token;
  json["drop_path_rate"] = 0.0;
  json["model_type"] = v.registers > 0 ? "dinov2_with_registers" : "dinov2";
  json["architectures"] = {v.registers > 0 ? "Dinov2WithRegistersModel" : "Dinov2Model"};
  if (v.registers > 0) json["num_register_tokens"] = v.registers;
  return json;
}

/** transformers has no field for these; loading would silently compute something else. */
void refuse_unknown_to_hf(const arch::Architecture& a) {
  const arch::Vit& v = a.vit;
  const char* what = nullptr;
  if (v.untie_cls_and_patch_norms) what = "a norm of its own for CLS";
  if (rope(a) && !v.layer_scale) what = "RoPE without layer scale";
  if (rope(a) && v.rope_coordinates != arch::RopeCoordinates::Separate)
    what = "RoPE coordinates other than separate";
  if (!rope(a) && v.registers > 0 && !v.layer_scale) what = "registers without layer scale";
  const std::int64_t swiglu = (v.dim * 4 * 2 / 3 + 7) / 8 * 8;
  if (!rope(a) && v.layer_scale && v.hidden != (v.ffn == arch::Ffn::SwiGlu ? swiglu : 4 * v.dim))
    what = "a feed-forward width that is not the published rule's";
  if (what != nullptr)
    fail(ErrorKind::Usage, "[weights] transformers has no model with {}: convert to another scheme",
         what);
}

}  // namespace

HfFiles apply_hf_config(const fs::path& folder, arch::Network& network) {
  arch::Architecture& a = network.architecture;
  const auto read = [&](const char* name, const auto& use) {
    const fs::path path = folder / name;
    if (!fs::exists(path)) return false;
    const nlohmann::json json = read_json_file(path);
    try {
      use(json);
    } catch (const nlohmann::json::exception& error) {
      fail(ErrorKind::Format, "[weights] {}: {}", printable(path), error.what());
    }
    return true;
  };
  HfFiles found;
  found.config = read("config.json", [&](const nlohmann::json& json) {
    if (a.family == arch::Family::Vit) take_vit(json, a.vit);
    if (a.family == arch::Family::ConvNext) take(json, "layer_norm_eps", a.convnext.norm_eps);
  });
  found.preprocessor = read("preprocessor_config.json", [&](const nlohmann::json& json) {
    take_preprocessor(json, network.preprocess);
  });
  return found;
}

nlohmann::json hf_config(const arch::Architecture& a) {
  if (a.family == arch::Family::Vit) {
    refuse_unknown_to_hf(a);
    return vit_config(a);
  }
  if (a.family == arch::Family::ConvNext)
    return {{"model_type", "dinov3_convnext"},
            {"architectures", {"DINOv3ConvNextModel"}},
            {"hidden_sizes", a.convnext.widths},
            {"depths", a.convnext.depths},
            {"num_channels", a.channels},
            {"layer_norm_eps", a.convnext.norm_eps},
            {"image_size", a.image_size},
            {"hidden_act", "gelu"},
            {"drop_path_rate", 0.0},
            {"layer_scale_init_value", 1e-6},
            {"torch_dtype", "float32"}};
  fail(ErrorKind::Usage, "[weights] transformers has no model for DINO's {}",
       arch::name_of(a.family));
}

void add_hf_classes(std::int64_t classes, nlohmann::json& config) {
  std::string name = config["architectures"][0];
  config["architectures"][0] = name.replace(name.rfind("Model"), 5, "ForImageClassification");
  for (std::int64_t i = 0; i < classes; ++i) {
    const std::string label = fmt::format("LABEL_{}", i);
    config["id2label"][std::to_string(i)] = label;
    config["label2id"][label] = i;
  }
}

nlohmann::json hf_preprocessor(const arch::Network& network) {
  const data::Preprocess& p = network.preprocess;
  const int filter = p.filter == image::Filter::Bilinear  ? kPilBilinear
                     : p.filter == image::Filter::Lanczos ? kPilLanczos
                                                          : kPilBicubic;
  nlohmann::json json = {{"do_resize", true},           {"do_rescale", true},
                         {"rescale_factor", 1.0 / 255}, {"do_normalize", true},
                         {"image_mean", p.mean},        {"image_std", p.std},
                         {"resample", filter}};
  if (p.fit == data::Fit::CenterCrop) {
    json["image_processor_type"] = "BitImageProcessor";
    json["do_convert_rgb"] = true;
    json["size"] = {{"shortest_edge", p.resize > 0 ? p.resize : p.image_size * 256 / 224}};
    json["do_center_crop"] = true;
    json["crop_size"] = {{"height", p.image_size}, {"width", p.image_size}};
  } else {
    json["image_processor_type"] = "DINOv3ViTImageProcessorFast";
    json["size"] = {{"height", p.image_size}, {"width", p.image_size}};
    json["do_center_crop"] = false;
  }
  return json;
}

}  // namespace dino::weights
