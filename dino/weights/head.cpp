#include "dino/weights/head.h"

#include <algorithm>

#include "dino/base/error.h"
#include "dino/format/floats.h"
#include "dino/weights/generation.h"
#include "dino/weights/misfit.h"

namespace dino::weights {
namespace {

using Shape = std::vector<std::int64_t>;

/** Names of the MLP's linear layers: an nn.Sequential counts GELU and batch norm too. */
std::string linear_name(const HeadShape& s, std::int64_t layer) {
  return s.layers == 1 ? "mlp" : fmt::format("mlp.{}", layer * (s.batch_norm ? 3 : 2));
}

/** torch.nn.utils.parametrizations.weight_norm calls gain and direction original0 and 1. */
std::string plain_name(const std::string& name) {
  if (name == "last_layer.parametrizations.weight.original0") return "last_layer.weight_g";
  if (name == "last_layer.parametrizations.weight.original1") return "last_layer.weight_v";
  return name;
}

const Shape* matrix(const NamedTensors& tensors, std::string_view name) {
  const auto found = tensors.find(name);
  return found == tensors.end() || found->second->shape.size() != 2 ? nullptr
                                                                    : &found->second->shape;
}

/** Shapes of the MLP's matrices, first to last: those among mlp.<number>.weight or mlp.weight. */
std::vector<Shape> mlp_matrices(const NamedTensors& tensors) {
  std::map<std::int64_t, Shape> by_index;
  for (const auto& [name, record] : tensors) {
    if (!name.starts_with("mlp.") || !name.ends_with("weight") || record->shape.size() != 2)
      continue;
    std::int64_t index = 0;
    for (const char c : name.substr(4))
      if (c >= '0' && c <= '9' && index < 1'000'000) index = 10 * index + (c - '0');
    by_index[index] = record->shape;
  }
  std::vector<Shape> matrices;
  for (auto& [index, shape] : by_index) matrices.push_back(std::move(shape));
  return matrices;
}

/** The shape that what is there suggests; nullopt if there is too little of it. */
std::optional<HeadShape> probe_head(const NamedTensors& tensors) {
  HeadShape s;
  if (const Shape* weight = matrix(tensors, "weight")) {
    return HeadShape{.kind = HeadKind::Classifier,
                     .in_dim = (*weight)[1],
                     .outputs = (*weight)[0],
                     .layers = 0,
                     .bias = tensors.contains("bias"),
                     .weight_norm = false};
  }
  s.weight_norm = tensors.contains("last_layer.weight_v");
  const Shape* last = matrix(tensors, s.weight_norm ? "last_layer.weight_v" : "last_layer.weight");
  const std::vector<Shape> mlp = mlp_matrices(tensors);
  if (last == nullptr || mlp.empty()) return std::nullopt;
  s.in_dim = mlp.front()[1];
  s.outputs = (*last)[0];
  s.layers = static_cast<std::int64_t>(mlp.size());
  s.hidden = s.layers > 1 ? mlp.front()[0] : 0;
  s.bottleneck = mlp.back()[0];
  const auto any = [&](std::string_view ending) {
    return std::ranges::any_of(tensors, [&](const auto& t) { return t.first.ends_with(ending); });
  };
  s.batch_norm = any(".running_mean");
  s.bias = any(linear_name(s, 0) + ".bias");
  return s;
}

}  // namespace

std::vector<arch::TensorSpec> head_tensors(const HeadShape& s) {
  std::vector<arch::TensorSpec> specs;
  const auto add = [&](std::string name, Shape shape, bool integer = false) {
    specs.push_back({std::move(name), std::move(shape), integer});
  };
  if (s.kind == HeadKind::Classifier) {
    add("weight", {s.outputs, s.in_dim});
    if (s.bias) add("bias", {s.outputs});
    return specs;
  }
  for (std::int64_t i = 0; i < s.layers; ++i) {
    const std::string linear = linear_name(s, i);
    const bool last = i + 1 == s.layers;
    const std::int64_t out = last ? s.bottleneck : s.hidden;
    add(linear + ".weight", {out, i == 0 ? s.in_dim : s.hidden});
    if (s.bias) add(linear + ".bias", {out});
    if (last || !s.batch_norm) continue;
    const std::string norm = fmt::format("mlp.{}.", 3 * i + 1);
    for (const char* name : {"weight", "bias", "running_mean", "running_var"})
      add(norm + name, {out});
    add(norm + "num_batches_tracked", {}, true);
  }
  if (s.weight_norm) {
    add("last_layer.weight_g", {s.outputs, 1});
    add("last_layer.weight_v", {s.outputs, s.bottleneck});
  } else {
    add("last_layer.weight", {s.outputs, s.bottleneck});
  }
  return specs;
}

Head make_head(std::string_view name, const NamedTensors& tensors, std::string_view origin) {
  NamedTensors named;
  for (const auto& [given, record] : tensors) named.emplace(plain_name(given), record);
  const auto shape = probe_head(named);
  if (!shape)
    fail(ErrorKind::Format,
         "[weights] {}: {} is no head of DINO: it has neither mlp and last_layer nor a weight; its "
         "{} tensors begin with {}",
         origin, name, named.size(), named.empty() ? "none" : named.begin()->first);
  Head head{.name = std::string(name), .shape = *shape, .tensors = {}};
  Misfit misfit;
  for (const arch::TensorSpec& spec : head_tensors(*shape)) {
    const auto found = named.find(spec.name);
    if (found == named.end()) {
      misfit.missing.push_back(spec.name);
      continue;
    }
    const format::TensorRecord& record = *found->second;
    const bool right_type =
        spec.integer ? record.dtype == format::DType::I64 : format::is_float(record.dtype);
    if (record.shape != spec.shape || !right_type)
      misfit.misshapen.push_back(
          fmt::format("{} is {} [{}], expected [{}]", spec.name, format::dtype_name(record.dtype),
                      fmt::join(record.shape, ", "), fmt::join(spec.shape, ", ")));
    head.tensors.push_back({spec.name, record.dtype, spec.shape, record.bytes, record.owner});
    named.erase(found);
  }
  for (const auto& [extra, record] : named) misfit.extra.push_back(extra);
  if (!misfit.empty())
    fail(ErrorKind::Format, "[weights] {}: tensors of {} do not fit: {}; it was taken for {}",
         origin, name, misfit.text(), describe(*shape));
  return head;
}

std::string describe(const HeadShape& s) {
  if (s.kind == HeadKind::Classifier)
    return fmt::format("{} -> {} classes{}", s.in_dim, s.outputs, s.bias ? "" : ", no bias");
  std::string text = std::to_string(s.in_dim);
  for (std::int64_t i = 0; i + 1 < s.layers; ++i) text += fmt::format(" -> {}", s.hidden);
  return text + fmt::format(" -> {} -> {} prototypes{}{}{}", s.bottleneck, s.outputs,
                            s.weight_norm ? ", weight norm" : "",
                            s.batch_norm ? ", batch norm" : "", s.bias ? "" : ", no bias");
}

std::string_view classifier_input(const arch::Architecture& architecture, std::int64_t in_dim) {
  const std::int64_t dim = architecture.dim();
  if (in_dim % dim != 0) return "";
  switch (in_dim / dim) {
    case 1:
      return "cls";
    case 2:  // DINO's evaluation stacks the two along a new last axis
      return generation_of(architecture) == Generation::Dino ? "cls+mean, interleaved" : "cls+mean";
    case 4:
      return "cls of 4 blocks";
    case 5:
      return "cls of 4 blocks+mean";
    default:
      return "";
  }
}

}  // namespace dino::weights
