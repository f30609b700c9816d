#include "dino/weights/disassemble.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "dino/base/error.h"
#include "dino/weights/detect.h"

namespace dino::weights {
namespace {

using Bytes = std::span<const std::byte>;

/** Buffers the reference's files hold beside the parameters. */
void add_official_buffers(const arch::Architecture& a, const Weights& weights,
                          const std::string& prefix, Output& out) {
  const arch::Vit& v = a.vit;
  if (a.family == arch::Family::Vit && v.rotary()) {
    const std::vector<float> periods = arch::rope_periods(v);
    out.add_floats(prefix + "rope_embed.periods", {static_cast<std::int64_t>(periods.size())},
                   periods);
    if (v.mask_key_bias) {
      std::vector<float> mask(static_cast<std::size_t>(3 * v.dim), 1.0F);
      std::fill_n(mask.begin() + v.dim, v.dim, 0.0F);
      for (std::int64_t i = 0; i < v.depth; ++i)
        out.add_floats(fmt::format("{}blocks.{}.attn.qkv.bias_mask", prefix, i), {3 * v.dim}, mask);
    }
  }
  for (const auto& tensor : weights.tensors) {
    if (a.family == arch::Family::ConvNext && tensor.name.starts_with("norm."))
      out.add(prefix + "norms.3." + tensor.name.substr(5), tensor.dtype, tensor.shape,
              tensor.bytes);
  }
}

/** Walks the parts of every tensor: use(rule, part, its bytes, dtype). */
template <typename Use>
void for_each_part(const Weights& weights, Layout layout, const Use& use) {
  const auto all = rules(layout, weights.network.architecture);
  DINO_ASSERT(all.size() == weights.tensors.size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto& tensor = weights.tensors[i];
    std::size_t at = 0;
    for (const Part& part : all[i].parts) {
      const std::size_t size =
          static_cast<std::size_t>(part.elements) * format::item_bytes(tensor.dtype);
      use(all[i], part, tensor.bytes.subspan(at, size), tensor);
      at += size;
    }
  }
}

/** timm adds CLS's own position into the CLS token. */
bool folds_cls_position(const arch::Architecture& a, Layout layout) {
  return layout == Layout::Timm && a.family == arch::Family::Vit && a.vit.registers > 0 &&
         !a.vit.rotary();
}

std::optional<std::vector<float>> folded_cls(const Weights& weights) {
  const format::TensorRecord *cls = nullptr, *positions = nullptr;
  for (const auto& tensor : weights.tensors) {
    if (tensor.name == "cls_token") cls = &tensor;
    if (tensor.name == "pos_embed") positions = &tensor;
  }
  const auto dim = static_cast<std::size_t>(weights.network.architecture.vit.dim);
  if (cls == nullptr || positions == nullptr || cls->dtype != format::DType::F32 ||
      positions->dtype != format::DType::F32)
    return std::nullopt;
  std::vector<float> sum(dim), row(dim);
  std::memcpy(sum.data(), cls->bytes.data(), dim * sizeof(float));
  std::memcpy(row.data(), positions->bytes.data(), dim * sizeof(float));
  for (std::size_t i = 0; i < dim; ++i) sum[i] += row[i];
  return sum;
}

/** The architecture that a reader would infer from the tensors' names and shapes. */
arch::Architecture assumed(const arch::Architecture& a, Layout layout) {
  std::vector<format::TensorRecord> records;
  for (const Rule& rule : rules(layout, a))
    for (const Part& part : rule.parts)
      if (!part.name.empty())
        records.push_back({part.name, format::DType::F32, part_shape(rule, part), {}});
  NamedTensors named;
  for (const auto& record : records) named.emplace(record.name, &record);
  return detect(named, "the weights", "").network.architecture;
}

/** Constants of a ViT that can be inferred neither from tensors nor from a description in the file.
 */
std::vector<std::string> untold(const arch::Architecture& a, Layout layout) {
  std::vector<std::string> items;
  if (a.family != arch::Family::Vit || layout == Layout::Dino || layout == Layout::HuggingFace)
    return items;
  const arch::Vit theirs = assumed(a, layout).vit;
  const auto compare = [&](const char* what, auto ours, auto assumption) {
    if (ours != assumption)
      items.push_back(fmt::format("{} ({}; {} would be assumed)", what, ours, assumption));
  };
  compare("heads", a.vit.heads, theirs.heads);
  compare("norm_eps", a.vit.norm_eps, theirs.norm_eps);
  compare("rope_coordinates", arch::name_of(a.vit.rope_coordinates),
          arch::name_of(theirs.rope_coordinates));
  if (layout == Layout::Timm) compare("rope_base", a.vit.rope_base, theirs.rope_base);
  return items;
}

}  // namespace

void Output::add_floats(std::string name, std::vector<std::int64_t> shape,
                        const std::vector<float>& values) {
  const auto bytes = std::as_bytes(std::span(values));
  own_.push_back({bytes.begin(), bytes.end()});
  add(std::move(name), format::DType::F32, std::move(shape), own_.back());
}

void add_backbone(const Weights& weights, Layout layout, const std::string& prefix, Output& out) {
  const arch::Architecture& a = weights.network.architecture;
  const bool fold = folds_cls_position(a, layout);
  // A named optional part is written if any of its tensor is not zero.
  for_each_part(weights, layout,
                [&](const Rule& rule, const Part& part, Bytes bytes, const auto& tensor) {
                  if (part.name.empty() || (part.optional && all_zero(tensor.bytes))) return;
                  if (fold && rule.target.name == "cls_token") return;
                  auto shape = part_shape(rule, part);
                  if (fold && rule.target.name == "pos_embed")
                    shape = {1, rule.target.shape[1] - 1, rule.target.shape[2]};
                  out.add(prefix + part.name, tensor.dtype, std::move(shape), bytes);
                });
  if (fold) {
    const auto sum = folded_cls(weights);
    if (!sum)
      fail(ErrorKind::Usage, "[convert] adding CLS's position into cls_token needs fp32 weights");
    out.add_floats(prefix + "cls_token", {1, 1, a.vit.dim}, *sum);
  }
  if (layout == Layout::Official) add_official_buffers(a, weights, prefix, out);
}

void add_head(const Head& head, const std::string& prefix, Output& out) {
  for (const auto& tensor : head.tensors)
    out.add(prefix + tensor.name, tensor.dtype, tensor.shape, tensor.bytes);
}

std::vector<std::string> backbone_losses(const Weights& weights, Layout layout) {
  std::vector<std::string> lost = untold(weights.network.architecture, layout);
  for_each_part(weights, layout, [&](const Rule& rule, const Part& part, Bytes bytes, const auto&) {
    if (!part.name.empty() || all_zero(bytes)) return;
    if (rule.target.name == "pos_embed" && folds_cls_position(weights.network.architecture, layout))
      lost.push_back("the position of CLS, which is added into cls_token (features stay the same)");
    else
      lost.push_back(rule.target.name);
  });
  return lost;
}

}  // namespace dino::weights
