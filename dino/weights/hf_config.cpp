#include "dino/weights/hf_config.h"

#include "dino/base/error.h"
#include "dino/weights/config_keys.h"

namespace dino::weights {
namespace {

/** A constant in the config that the tensors determine as well. */
void agree(ConfigKeys& keys, const char* key, std::int64_t of_tensors) {
  std::int64_t said = of_tensors;
  if (keys.take(key, said) && said != of_tensors)
    keys.refuse(key, fmt::format("contradicts the tensors, which have {}: is it the config of "
                                 "other weights?",
                                 of_tensors));
}

/** Activations by transformers' names; ours are the exact GELU, and SiLU in the gate of SwiGLU. */
void check_activation(ConfigKeys& keys, bool gated) {
  std::string name;
  if (!keys.take("hidden_act", name)) return;
  const bool good =
      gated ? name == "silu" || name == "swish" : name == "gelu" || name == "gelu_python";
  if (!good)
    keys.refuse("hidden_act",
                gated ? "cannot be computed: gates are silu" : "cannot be computed: only gelu can");
}

void take_rope(ConfigKeys& keys, arch::Vit& v) {
  keys.take("rope_theta", v.rope_base);
  if (const auto* parameters = keys.find("rope_parameters")) {
    ConfigKeys rope(*parameters, keys.origin() + ", rope_parameters");
    rope.take("rope_theta", v.rope_base);
    std::string type = "default";
    if (rope.take("rope_type", type) && type != "default")
      rope.refuse("rope_type", "cannot be computed: only default can");
    if (const auto unknown = rope.unknown(); !unknown.empty())
      rope.refuse(unknown.front(), "is not known");
  }
  if (keys.find("rope_scaling") != nullptr) keys.refuse("rope_scaling", "cannot be computed");
}

void take_vit(ConfigKeys& keys, const arch::Architecture& a, arch::Vit& v) {
  const bool rope = v.rotary();
  agree(keys, "hidden_size", v.dim);
  agree(keys, "num_hidden_layers", v.depth);
  agree(keys, "num_channels", a.channels);
  agree(keys, "num_register_tokens", v.registers);
  if (rope || !v.layer_scale) agree(keys, "intermediate_size", v.hidden);
  if (const auto* patch = keys.find("patch_size"); patch != nullptr && patch->is_number())
    agree(keys, "patch_size", v.patch_size);
  keys.take("num_attention_heads", v.heads);
  keys.take("layer_norm_eps", v.norm_eps);
  // Dinov2's SwiGLU is gated by SiLU whatever hidden_act says.
  if (rope || v.ffn != arch::Ffn::SwiGlu) {
    check_activation(keys, v.ffn == arch::Ffn::SwiGlu);
  } else {
    keys.neutral({"hidden_act"});
  }
  if (rope) take_rope(keys, v);
  keys.neutral({"intermediate_size", "mlp_ratio", "qkv_bias", "query_bias", "key_bias",
                "value_bias", "proj_bias", "mlp_bias", "use_swiglu_ffn", "use_gated_mlp",
                "use_mask_token", "image_size"});  // told by the tensors
}

/** Keys about training, unsupported outputs and the library's bookkeeping. */
void know_neutral(ConfigKeys& keys) {
  keys.neutral({"attention_probs_dropout_prob",
                "hidden_dropout_prob",
                "attention_dropout",
                "drop_path_rate",
                "initializer_range",
                "layerscale_value",
                "layer_scale_init_value",
                "pos_embed_shift",
                "pos_embed_jitter",
                "pos_embed_rescale",
                "encoder_stride",
                "pooler_act",
                "pooler_output_size",
                "apply_layernorm",
                "reshape_hidden_states",
                "out_features",
                "out_indices",
                "_out_features",
                "_out_indices",
                "stage_names",
                "return_class_token",
                "output_attentions",
                "output_hidden_states",
                "return_dict"});
  keys.neutral({"architectures",
                "model_type",
                "transformers_version",
                "torch_dtype",
                "dtype",
                "_name_or_path",
                "_commit_hash",
                "id2label",
                "label2id",
                "num_labels",
                "problem_type",
                "torchscript",
                "use_bfloat16",
                "tf_legacy_loss",
                "pruned_heads",
                "tie_word_embeddings",
                "chunk_size_feed_forward",
                "is_encoder_decoder",
                "is_decoder",
                "add_cross_attention",
                "tie_encoder_decoder",
                "finetuning_task",
                "use_cache",
                "gradient_checkpointing",
                "auto_map",
                "attn_implementation",
                "_attn_implementation_autoset"});
}

nlohmann::json vit_config(const arch::Architecture& a) {
  const arch::Vit& v = a.vit;
  nlohmann::json json = {{"hidden_size", v.dim},           {"num_hidden_layers", v.depth},
                         {"num_attention_heads", v.heads}, {"patch_size", v.patch_size},
                         {"num_channels", a.channels},     {"image_size", a.image_size},
                         {"layer_norm_eps", v.norm_eps},   {"attention_probs_dropout_prob", 0.0},
                         {"hidden_dropout_prob", 0.0},     {"torch_dtype", "float32"}};
  if (a.vit.rotary()) {
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
  if (a.vit.rotary() && !v.layer_scale) what = "RoPE without layer scale";
  if (a.vit.rotary() && v.rope_coordinates != arch::RopeCoordinates::Separate)
    what = "RoPE coordinates other than separate";
  if (!a.vit.rotary() && v.registers > 0 && !v.layer_scale) what = "registers without layer scale";
  const std::int64_t swiglu = (v.dim * 4 * 2 / 3 + 7) / 8 * 8;
  if (!a.vit.rotary() && v.layer_scale &&
      v.hidden != (v.ffn == arch::Ffn::SwiGlu ? swiglu : 4 * v.dim))
    what = "a feed-forward width that is not the published rule's";
  if (what != nullptr)
    fail(ErrorKind::Usage, "[weights] transformers has no model with {}: convert to another scheme",
         what);
}

}  // namespace

void apply_hf_config(const nlohmann::json& json, const std::string& origin, arch::Architecture& a,
                     std::vector<std::string>& notes) {
  ConfigKeys keys(json, origin);
  if (a.family == arch::Family::Vit) take_vit(keys, a, a.vit);
  if (a.family == arch::Family::ConvNext) {
    keys.take("layer_norm_eps", a.convnext.norm_eps);
    check_activation(keys, false);
    agree(keys, "num_channels", a.channels);
    keys.neutral({"hidden_sizes", "depths", "image_size", "patch_size", "num_stages"});
  }
  know_neutral(keys);
  keys.note_unknown(notes);
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

}  // namespace dino::weights
