#include "dino/weights/detect.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "dino/arch/zoo.h"
#include "dino/base/error.h"

namespace dino::weights {
namespace {

using Shape = std::vector<std::int64_t>;

class Probe {
 public:
  Probe(const NamedTensors& tensors, std::string_view origin)
      : tensors_(tensors), origin_(origin) {}

  bool has(std::string_view name) const { return tensors_.contains(name); }
  bool any(std::string_view prefix) const {
    const auto found = tensors_.lower_bound(prefix);
    return found != tensors_.end() && found->first.starts_with(prefix);
  }
  const Shape& shape(std::string_view name, std::size_t dims) const {
    const auto found = tensors_.find(name);
    if (found == tensors_.end()) refuse(fmt::format("{} is missing", name));
    if (found->second->shape.size() != dims)
      refuse(fmt::format("{} has {} dimensions, not {}", name, found->second->shape.size(), dims));
    return found->second->shape;
  }
  /** How many numbers follow `prefix` in the names: 0, 1, ... without a gap. */
  std::int64_t count(const std::string& prefix) const {
    std::int64_t n = 0;
    while (any(prefix + std::to_string(n) + ".")) ++n;
    return n;
  }
  [[noreturn]] void refuse(std::string_view why) const {
    fail(ErrorKind::Format,
         "[weights] {}: these are not the tensors of a DINO backbone: {}; the file has {} of them, "
         "the first: {}",
         origin_, why, tensors_.size(),
         tensors_.empty() ? "none" : fmt::format("{}", tensors_.begin()->first));
  }

 private:
  const NamedTensors& tensors_;
  std::string_view origin_;
};

/** The names a scheme uses for what tells a ViT's sizes. */
struct VitNames {
  const char *cls, *patch, *positions, *registers, *mask, *blocks;
};
constexpr VitNames kOwn = {"cls_token",  "patch_embed.proj.weight",
                           "pos_embed",  "register_tokens",
                           "mask_token", "blocks."};
constexpr VitNames kOfficialV3 = {
    "cls_token", "patch_embed.proj.weight", "pos_embed", "storage_tokens", "mask_token", "blocks."};
constexpr VitNames kTimm = {
    "cls_token", "patch_embed.proj.weight", "pos_embed", "reg_token", "mask_token", "blocks."};
constexpr VitNames kHf = {
    "embeddings.cls_token",           "embeddings.patch_embeddings.projection.weight",
    "embeddings.position_embeddings", "embeddings.register_tokens",
    "embeddings.mask_token",          "encoder.layer."};

/** The feed-forward width, from the first of these tensors that exists. */
std::optional<std::pair<std::string, std::int64_t>> first_matrix(
    const Probe& probe, const std::string& block, std::initializer_list<const char*> names) {
  for (const char* name : names)
    if (probe.has(block + name)) return std::pair(name, probe.shape(block + name, 2)[0]);
  return std::nullopt;
}

void probe_ffn(const Probe& probe, const std::string& block, arch::Vit& v) {
  const auto gate =
      first_matrix(probe, block, {"mlp.w1.weight", "mlp.gate_proj.weight", "mlp.fc1_g.weight"});
  const auto packed = first_matrix(probe, block, {"mlp.w12.weight", "mlp.weights_in.weight"});
  const auto plain = first_matrix(
      probe, block, {"mlp.fc1.weight", "mlp.up_proj.weight", "intermediate.dense.weight"});
  if (gate || packed) {
    v.ffn = arch::Ffn::SwiGlu;
    v.hidden = gate ? gate->second : packed->second / 2;
  } else if (plain) {
    v.hidden = plain->second;
    // timm keeps giant's packed w12 under fc1.
    if (probe.has(block + "mlp.fc2.weight") && plain->first == "mlp.fc1.weight" &&
        probe.shape(block + "mlp.fc2.weight", 2)[1] * 2 == v.hidden) {
      v.ffn = arch::Ffn::SwiGlu;
      v.hidden /= 2;
    }
  } else {
    probe.refuse("block 0 has no feed-forward network");
  }
}

std::int64_t square_side(const Probe& probe, std::int64_t cells) {
  const auto side = static_cast<std::int64_t>(std::lround(std::sqrt(static_cast<double>(cells))));
  if (side < 1 || side * side != cells)
    probe.refuse(fmt::format("the position table has {} patch rows, which is no square", cells));
  return side;
}

/** Whether other tensors show that this is DINOv3, which has no position table. */
bool has_no_table(const Probe& probe, Layout layout) {
  switch (layout) {
    case Layout::HuggingFace:
      return probe.has("embeddings.patch_embeddings.weight");
    case Layout::Timm:
      return probe.has("blocks.0.gamma_1");
    default:
      return probe.has("storage_tokens") || probe.any("rope_embed.") ||
             probe.has("blocks.0.attn.qkv.bias_mask");
  }
}

arch::Architecture probe_vit(const Probe& probe, const VitNames& names, Layout layout) {
  arch::Architecture a;
  arch::Vit& v = a.vit;
  const char* patch_name = names.patch;
  if (!probe.has(patch_name) && layout == Layout::HuggingFace)
    patch_name = "embeddings.patch_embeddings.weight";
  const Shape& patch = probe.shape(patch_name, 4);
  v.dim = patch[0];
  a.channels = static_cast<int>(patch[1]);
  v.patch_size = patch[2];
  v.heads = std::max<std::int64_t>(1, v.dim / 64);
  std::string blocks = names.blocks;
  if (layout == Layout::HuggingFace)
    for (const char* other : {"layer.", "layers."})
      if (probe.any(other)) blocks = other;
  v.depth = probe.count(blocks);
  if (v.depth < 1) probe.refuse(fmt::format("no tensor is called {}0...", blocks));
  const std::string block = blocks + "0.";
  if (probe.has(names.registers)) v.registers = probe.shape(names.registers, 3)[1];
  v.mask_token = probe.has(names.mask);
  v.layer_scale = probe.has(block + "ls1.gamma") || probe.has(block + "gamma_1") ||
                  probe.has(block + "layer_scale1.lambda1");
  probe_ffn(probe, block, v);
  v.qkv_bias = probe.has(block + "attn.qkv.bias") || probe.has(block + "attn.q_bias") ||
               probe.has(block + "attention.q_proj.bias") ||
               probe.has(block + "attention.attention.query.bias");
  v.untie_cls_and_patch_norms = probe.has("cls_norm.weight");
  v.local_cls_norm = probe.has("local_cls_norm.weight");
  if (!probe.has(names.positions)) {
    if (!has_no_table(probe, layout)) probe.refuse(fmt::format("{} is missing", names.positions));
    v.positions = arch::Positions::Rope;
    v.norm_eps = 1e-5;
    a.image_size = 256;
    v.mask_key_bias = v.qkv_bias;
    return a;
  }
  const bool folded = layout == Layout::Timm && v.registers > 0;  // no row of CLS in the table
  const std::int64_t side =
      square_side(probe, probe.shape(names.positions, 3)[1] - (folded ? 0 : 1));
  a.image_size = static_cast<int>(side * v.patch_size);
  v.positions = arch::Positions::LearnedOffset;
  v.positions = usual_positions(layout, v);
  return a;
}

arch::Architecture probe_convnext(const Probe& probe, Layout layout) {
  arch::Architecture a;
  a.family = arch::Family::ConvNext;
  a.convnext.depths.clear();
  a.convnext.widths.clear();
  const std::string stem = layout == Layout::Timm          ? "stem.0.weight"
                           : layout == Layout::HuggingFace ? "stages.0.downsample_layers.0.weight"
                                                           : "downsample_layers.0.0.weight";
  a.channels = static_cast<int>(probe.shape(stem, 4)[1]);
  for (int s = 0; s < 4; ++s) {
    const std::string stage = "stages." + std::to_string(s) + ".";
    const std::string blocks = stage + (layout == Layout::Timm          ? "blocks."
                                        : layout == Layout::HuggingFace ? "layers."
                                                                        : "");
    a.convnext.depths.push_back(probe.count(blocks));
    a.convnext.widths.push_back(probe.shape(blocks + "0.gamma", 1)[0]);
  }
  a.image_size = 256;
  return a;
}

arch::Architecture probe_xcit(const Probe& probe) {
  arch::Architecture a;
  a.family = arch::Family::Xcit;
  arch::Xcit& x = a.xcit;
  x.dim = probe.shape("cls_token", 3)[2];
  x.depth = probe.count("blocks.");
  x.cls_depth = probe.count("cls_attn_blocks.");
  x.heads = probe.shape("blocks.0.attn.temperature", 3)[0];
  x.patch_size = probe.has("patch_embed.proj.6.0.weight") ? 16 : 8;
  a.channels = static_cast<int>(probe.shape("patch_embed.proj.0.0.weight", 4)[1]);
  return a;
}

/** True if the published backbone has these numbers, whatever shapes cannot tell. */
bool same_shapes(const arch::Architecture& published, const arch::Architecture& a) {
  if (published.family != a.family || published.channels != a.channels ||
      published.vit.patch_size != a.vit.patch_size)
    return false;
  arch::Architecture p = published;  // without what ports leave out
  if (!a.vit.mask_token) p.vit.mask_token = false;
  if (a.family == arch::Family::Vit && a.vit.positions == arch::Positions::Rope &&
      !a.vit.qkv_bias) {
    p.vit.qkv_bias = p.vit.mask_key_bias = false;
  }
  if (!a.vit.local_cls_norm) p.vit.local_cls_norm = false;
  return arch::tensors(p) == arch::tensors(a);
}

/** Published backbones with these tensors. Those of ViT-L for web and for satellite images differ
 * in the norm of local crops, where a file has all the official tensors; those of the 7B in
 * nothing. */
std::vector<const arch::ZooEntry*> published(const arch::Architecture& a, Layout layout) {
  std::vector<const arch::ZooEntry*> found;
  for (const auto& entry : arch::zoo())
    if (same_shapes(entry.network.architecture, a)) found.push_back(&entry);
  const auto differs = [&](const arch::ZooEntry* entry) {
    return entry->network.architecture.vit.local_cls_norm != a.vit.local_cls_norm;
  };
  const bool decides = layout == Layout::Official || a.vit.local_cls_norm;
  if (decides && !std::ranges::all_of(found, differs)) std::erase_if(found, differs);
  return found;
}

/** Whether the released file's name tells that training used satellite images, or web images;
 * nothing if it does not tell. */
std::optional<bool> named_satellite(std::string_view file_name) {
  const std::string_view stem = file_name.substr(0, file_name.rfind('.'));
  if (file_name.find("sat493m") != std::string_view::npos || stem.ends_with("_sat")) return true;
  if (file_name.find("lvd1689m") != std::string_view::npos) return false;
  return std::nullopt;
}

void take_published(const arch::ZooEntry& entry, arch::Network& network) {
  const arch::Architecture& p = entry.network.architecture;
  arch::Architecture& a = network.architecture;
  a.name = entry.name;
  a.image_size = p.image_size;
  a.vit.heads = p.vit.heads;
  a.xcit = p.xcit;
  network.preprocess = entry.network.preprocess;
}

/** Takes name, preprocessing and what shapes do not tell from the published backbone, if it is one.
 */
void complete_from_zoo(Detected& d, std::string_view file_name) {
  arch::Architecture& a = d.network.architecture;
  if (const auto found = published(a, d.layout); !found.empty()) {
    const auto satellite = std::ranges::find_if(
        found, [](const arch::ZooEntry* entry) { return entry->name.ends_with("_sat"); });
    const auto named = named_satellite(file_name);
    const bool take = satellite != found.end() && (found.size() == 1 || named.value_or(false));
    take_published(take ? **satellite : *found.front(), d.network);
    if (found.size() > 1 && !named)
      d.doubt = fmt::format(
          "these tensors may be {} or {}: mean and std of the first taken; --arch says which it is",
          found[0]->name, found[1]->name);
    d.heads_guessed = false;
    return;
  }
  if (a.family == arch::Family::Vit && a.vit.positions == arch::Positions::Rope)
    d.network.preprocess = arch::zoo_entry("dinov3_vits16").network.preprocess;
  d.network.preprocess.channels = a.channels;
  if (a.channels == 3) return;
  d.network.preprocess.mean.assign(static_cast<std::size_t>(a.channels), 0.5);
  d.network.preprocess.std.assign(static_cast<std::size_t>(a.channels), 0.5);
  d.network.preprocess.full_range = a.channels != 1;  // bands are more than a picture's colors
  d.notes.push_back(
      fmt::format("no published statistics for {} channels: mean and std 0.5", a.channels));
}

/** DINOv3's file holds a period for each quarter of a head. */
bool heads_from_periods(const NamedTensors& tensors, arch::Vit& v) {
  const auto periods = tensors.find("rope_embed.periods");
  if (periods == tensors.end() || periods->second->shape.size() != 1) return false;
  const std::int64_t width = 4 * periods->second->shape[0];
  if (width < 4 || v.dim % width != 0) return false;
  v.heads = v.dim / width;
  return true;
}

}  // namespace

arch::Positions usual_positions(Layout layout, const arch::Vit& vit) {
  if (vit.positions == arch::Positions::Rope) return arch::Positions::Rope;
  if (vit.registers > 0) return arch::Positions::LearnedAntialias;
  return layout == Layout::HuggingFace ? arch::Positions::LearnedSize
                                       : arch::Positions::LearnedOffset;
}

Detected detect(const NamedTensors& tensors, std::string_view origin, std::string_view file_name) {
  const Probe probe(tensors, origin);
  Detected d;
  arch::Architecture& a = d.network.architecture;
  if (probe.any("cls_attn_blocks.")) {
    d.layout = probe.any("pos_embed.") ? Layout::Timm : Layout::Official;
    a = probe_xcit(probe);
  } else if (probe.has("layer1.0.conv1.weight")) {
    a.family = arch::Family::ResNet50;
    a.channels = static_cast<int>(probe.shape("conv1.weight", 4)[1]);
  } else if (probe.has("downsample_layers.0.0.weight")) {
    a = probe_convnext(probe, d.layout);
  } else if (probe.has("stem.0.weight")) {
    a = probe_convnext(probe, d.layout = Layout::Timm);
  } else if (probe.has("stages.0.downsample_layers.0.weight")) {
    a = probe_convnext(probe, d.layout = Layout::HuggingFace);
  } else if (probe.has("embeddings.cls_token")) {
    d.layout = Layout::HuggingFace;
    d.newer_hf = probe.any("layers.0.") || (probe.any("encoder.layer.0.attention.q_proj."));
    a = probe_vit(probe, kHf, d.layout);
  } else if (probe.has("reg_token") || probe.has("blocks.0.gamma_1")) {
    a = probe_vit(probe, kTimm, d.layout = Layout::Timm);
  } else if (probe.has("storage_tokens") || probe.any("rope_embed.")) {
    a = probe_vit(probe, kOfficialV3, d.layout);
  } else if (probe.has("cls_token") && probe.any("blocks.0.")) {
    a = probe_vit(probe, kOwn, d.layout);
    // timm's names are the official ones but for giant's.
    if (a.vit.ffn == arch::Ffn::SwiGlu && probe.has("blocks.0.mlp.fc1.weight"))
      d.layout = Layout::Timm;
  } else {
    probe.refuse("none of the known naming schemes fits");
  }
  d.heads_guessed = a.family == arch::Family::Vit && !heads_from_periods(tensors, a.vit);
  complete_from_zoo(d, file_name);
  return d;
}

void name_by_statistics(arch::Network& network) {
  for (const auto& entry : arch::zoo()) {
    const data::Preprocess& p = entry.network.preprocess;
    if (same_shapes(entry.network.architecture, network.architecture) &&
        p.mean == network.preprocess.mean && p.std == network.preprocess.std) {
      network.architecture.name = entry.name;
      return;
    }
  }
}

}  // namespace dino::weights
