#include "dino/weights/rules.h"

#include <algorithm>
#include <array>
#include <utility>

#include "dino/base/error.h"

namespace dino::weights {
namespace {

constexpr std::array<std::pair<Layout, std::string_view>, 4> kLayouts = {
    {{Layout::Dino, "dino"},
     {Layout::Official, "official"},
     {Layout::HuggingFace, "hf"},
     {Layout::Timm, "timm"}}};

using Names = std::vector<std::pair<std::string_view, std::string_view>>;

std::int64_t elements(const std::vector<std::int64_t>& shape) {
  std::int64_t count = 1;
  for (const std::int64_t size : shape) count *= size;
  return count;
}

std::vector<Part> whole(std::string name, const arch::TensorSpec& spec) {
  return {{std::move(name), elements(spec.shape)}};
}

/** The replacement of the longest table entry that `name` begins with, or `name`. */
std::string renamed(const std::string& name, const Names& names) {
  const auto* best = static_cast<const Names::value_type*>(nullptr);
  for (const auto& entry : names)
    if (name.starts_with(entry.first) &&
        (best == nullptr || entry.first.size() > best->first.size()))
      best = &entry;
  if (best == nullptr) return name;
  return std::string(best->second) + name.substr(best->first.size());
}

/** "blocks.7.attn.qkv.weight" as "blocks.7." and "attn.qkv.weight"; the first is empty outside. */
std::pair<std::string, std::string> split_block(const std::string& name) {
  if (!name.starts_with("blocks.")) return {"", name};
  const std::size_t dot = name.find('.', 7);
  return {name.substr(0, dot + 1), name.substr(dot + 1)};
}

/** DINOv3's norm of local crops, which inference ports omit. */
bool is_training_norm(const std::string& name) {
  return name.starts_with("local_cls_norm.");
}

/** One tensor as equal parts under these names. */
std::vector<Part> equal_parts(const arch::TensorSpec& spec, std::vector<std::string> names) {
  const std::int64_t each = elements(spec.shape) / static_cast<std::int64_t>(names.size());
  std::vector<Part> parts;
  for (std::string& name : names) parts.push_back({std::move(name), each});
  return parts;
}

std::vector<Part> official_vit(const arch::Architecture& a, const arch::TensorSpec& spec) {
  if (!a.vit.rotary()) return whole(spec.name, spec);
  if (spec.name == "register_tokens") return whole("storage_tokens", spec);
  const auto at = spec.name.find("mlp.w12.");
  if (at == std::string::npos) return whole(spec.name, spec);
  const std::string block = spec.name.substr(0, at), kind = spec.name.substr(at + 8);
  return equal_parts(spec, {block + "mlp.w1." + kind, block + "mlp.w2." + kind});
}

// ---- transformers ----

std::vector<Part> hf_qkv(const arch::Architecture& a, const arch::TensorSpec& spec,
                         const std::string& block, const std::string& kind, bool newer) {
  if (!a.vit.rotary() && !newer) {
    const std::string base = block + "attention.attention.";
    return equal_parts(spec,
                       {base + "query." + kind, base + "key." + kind, base + "value." + kind});
  }
  auto parts =
      equal_parts(spec, {block + "attention.q_proj." + kind, block + "attention.k_proj." + kind,
                         block + "attention.v_proj." + kind});
  if (kind == "bias" && a.vit.mask_key_bias) parts[1].name.clear();
  return parts;
}

std::vector<Part> hf_vit(const arch::Architecture& a, const arch::TensorSpec& spec, bool newer) {
  const bool v3 = a.vit.rotary(), v2 = !v3 && a.vit.layer_scale;
  const auto [block, rest] = split_block(spec.name);
  if (is_training_norm(spec.name)) return whole("", spec);
  if (block.empty()) {
    static const Names kTop = {{"cls_token", "embeddings.cls_token"},
                               {"mask_token", "embeddings.mask_token"},
                               {"register_tokens", "embeddings.register_tokens"},
                               {"pos_embed", "embeddings.position_embeddings"}};
    if (spec.name.starts_with("patch_embed.proj."))
      return whole(fmt::format("embeddings.patch_embeddings.{}{}", v3 ? "" : "projection.",
                               spec.name.substr(17)),
                   spec);
    if (spec.name.starts_with("norm.") && !v3)
      return whole(fmt::format("layer{}", spec.name), spec);
    return whole(renamed(spec.name, kTop), spec);
  }
  const std::string to = (v3             ? "layer."
                          : newer && !v2 ? "layers."
                                         : "encoder.layer.") +
                         block.substr(7);
  const std::string kind = rest.substr(rest.rfind('.') + 1);
  if (rest.starts_with("attn.qkv.")) return hf_qkv(a, spec, to, kind, newer);
  if (rest.starts_with("mlp.w12.") && (v3 || newer))
    return equal_parts(spec, {to + "mlp.gate_proj." + kind, to + "mlp.up_proj." + kind});
  static const Names kV1 = {{"norm1.", "layernorm_before."},
                            {"norm2.", "layernorm_after."},
                            {"attn.proj.", "attention.output.dense."},
                            {"mlp.fc1.", "intermediate.dense."},
                            {"mlp.fc2.", "output.dense."}};
  static const Names kV2 = {{"attn.proj.", "attention.output.dense."},
                            {"ls1.gamma", "layer_scale1.lambda1"},
                            {"ls2.gamma", "layer_scale2.lambda1"},
                            {"mlp.w12.", "mlp.weights_in."},
                            {"mlp.w3.", "mlp.weights_out."}};
  static const Names kV3 = {
      {"attn.proj.", "attention.o_proj."},   {"ls1.gamma", "layer_scale1.lambda1"},
      {"ls2.gamma", "layer_scale2.lambda1"}, {"mlp.fc1.", "mlp.up_proj."},
      {"mlp.fc2.", "mlp.down_proj."},        {"mlp.w3.", "mlp.down_proj."}};
  static const Names kNewer = {{"norm1.", "layernorm_before."},
                               {"norm2.", "layernorm_after."},
                               {"attn.proj.", "attention.o_proj."}};
  static const Names kNewerV2 = {{"attn.proj.", "attention.o_proj."},
                                 {"ls1.gamma", "layer_scale1.lambda1"},
                                 {"ls2.gamma", "layer_scale2.lambda1"},
                                 {"mlp.w3.", "mlp.down_proj."}};
  const Names& names = v3 ? kV3 : newer ? (v2 ? kNewerV2 : kNewer) : v2 ? kV2 : kV1;
  return whole(to + renamed(rest, names), spec);
}

// ---- timm ----

std::vector<Part> timm_vit(const arch::Architecture& a, const arch::TensorSpec& spec) {
  const std::int64_t dim = a.vit.dim;
  if (spec.name == "mask_token" || is_training_norm(spec.name)) return whole("", spec);
  if (spec.name == "register_tokens") return whole("reg_token", spec);
  if (spec.name == "pos_embed" && a.vit.registers > 0)  // CLS's own position is folded into CLS
    return {{"", dim}, {"pos_embed", elements(spec.shape) - dim}};
  const auto [block, rest] = split_block(spec.name);
  if (block.empty()) return whole(spec.name, spec);
  if (!a.vit.rotary()) {
    static const Names kV2 = {{"mlp.w12.", "mlp.fc1."}, {"mlp.w3.", "mlp.fc2."}};
    return whole(block + renamed(rest, kV2), spec);
  }
  if (rest == "attn.qkv.bias") {
    auto parts = equal_parts(spec, {block + "attn.q_bias", "", block + "attn.v_bias"});
    parts[0].optional = parts[2].optional = true;  // plain ids leave zeros out
    return parts;
  }
  const std::string kind = rest.substr(rest.rfind('.') + 1);
  if (rest.starts_with("mlp.w12."))
    return equal_parts(spec, {block + "mlp.fc1_g." + kind, block + "mlp.fc1_x." + kind});
  static const Names kV3 = {
      {"ls1.gamma", "gamma_1"}, {"ls2.gamma", "gamma_2"}, {"mlp.w3.", "mlp.fc2."}};
  return whole(block + renamed(rest, kV3), spec);
}

}  // namespace

namespace detail {

std::vector<Part> vit_parts(Layout layout, const arch::Architecture& a,
                            const arch::TensorSpec& spec, bool newer_hf) {
  switch (layout) {
    case Layout::Dino:
      return whole(spec.name, spec);
    case Layout::Official:
      return official_vit(a, spec);
    case Layout::HuggingFace:
      return hf_vit(a, spec, newer_hf);
    case Layout::Timm:
      return timm_vit(a, spec);
  }
  DINO_ASSERT(false);
}

std::vector<Part> convnext_parts(Layout layout, const arch::TensorSpec& spec) {
  if (layout == Layout::Dino || layout == Layout::Official) return whole(spec.name, spec);
  const bool hf = layout == Layout::HuggingFace;
  const std::string& name = spec.name;
  if (name.starts_with("norm."))
    return whole(fmt::format("{}{}", hf ? "layer_" : "head.", name), spec);
  if (name.starts_with("downsample_layers.")) {  // stage, index, kind
    const std::string stage = name.substr(18, 1), rest = name.substr(20);
    if (hf) return whole(fmt::format("stages.{}.downsample_layers.{}", stage, rest), spec);
    return whole(stage == "0" ? fmt::format("stem.{}", rest)
                              : fmt::format("stages.{}.downsample.{}", stage, rest),
                 spec);
  }
  const std::size_t block = name.find('.', 7) + 1, rest = name.find('.', block) + 1;
  static const Names kHf = {{"dwconv.", "depthwise_conv."},
                            {"norm.", "layer_norm."},
                            {"pwconv1.", "pointwise_conv1."},
                            {"pwconv2.", "pointwise_conv2."}};
  static const Names kTimm = {
      {"dwconv.", "conv_dw."}, {"pwconv1.", "mlp.fc1."}, {"pwconv2.", "mlp.fc2."}};
  return whole(name.substr(0, block) + (hf ? "layers." : "blocks.") +
                   name.substr(block, rest - block) + renamed(name.substr(rest), hf ? kHf : kTimm),
               spec);
}

std::vector<Part> xcit_parts(Layout layout, const arch::TensorSpec& spec) {
  if (layout == Layout::Timm) {
    if (spec.name.starts_with("pos_embeder."))
      return whole(fmt::format("pos_embed.{}", spec.name.substr(12)), spec);
    const auto at = spec.name.find("attn.qkv.");
    if (spec.name.starts_with("cls_attn_blocks.") && at != std::string::npos) {
      const std::string attention = spec.name.substr(0, at) + "attn.",
                        kind = fmt::format(".{}", spec.name.substr(at + 9));
      return equal_parts(spec,
                         {attention + "q" + kind, attention + "k" + kind, attention + "v" + kind});
    }
  }
  return whole(spec.name, spec);
}

}  // namespace detail

std::vector<Rule> rules(Layout layout, const arch::Architecture& architecture, bool newer_hf) {
  std::vector<Rule> all;
  for (arch::TensorSpec& spec : arch::tensors(architecture)) {
    Rule rule;
    switch (architecture.family) {
      case arch::Family::Vit:
        rule.parts = detail::vit_parts(layout, architecture, spec, newer_hf);
        break;
      case arch::Family::ConvNext:
        rule.parts = detail::convnext_parts(layout, spec);
        break;
      case arch::Family::Xcit:
        rule.parts = detail::xcit_parts(layout, spec);
        break;
      case arch::Family::ResNet50:
        rule.parts = whole(spec.name, spec);
        break;
    }
    if (layout == Layout::HuggingFace && (architecture.family == arch::Family::Xcit ||
                                          architecture.family == arch::Family::ResNet50))
      fail(ErrorKind::Usage,
           "[weights] transformers has no names for DINO's {}; use official or timm",
           arch::name_of(architecture.family));
    if (layout == Layout::HuggingFace && spec.name == "mask_token" && architecture.vit.rotary())
      rule.stored_shape = {1, 1, architecture.vit.dim};
    rule.target = std::move(spec);
    all.push_back(std::move(rule));
  }
  return all;
}

std::vector<std::int64_t> part_shape(const Rule& rule, const Part& part) {
  if (!rule.stored_shape.empty()) return rule.stored_shape;
  std::vector<std::int64_t> shape = rule.target.shape;
  const auto split = std::ranges::find_if(shape, [](std::int64_t size) { return size != 1; });
  if (split != shape.end()) *split = part.elements / (elements(shape) / *split);
  return shape;
}

std::string_view name_of(Layout layout) {
  for (const auto& [candidate, name] : kLayouts)
    if (candidate == layout) return name;
  DINO_ASSERT(false);
}

Layout layout_from_name(std::string_view name) {
  for (const auto& [layout, known] : kLayouts)
    if (known == name) return layout;
  fail(ErrorKind::Usage,
       "[weights] no naming scheme is called \"{}\"; known are dino, official, hf, timm", name);
}

}  // namespace dino::weights
