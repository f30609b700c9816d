#include "dino/weights/assemble.h"

#include <algorithm>
#include <cstring>
#include <set>

#include "dino/base/error.h"
#include "dino/format/floats.h"
#include "dino/weights/misfit.h"

namespace dino::weights {
namespace {

std::vector<std::int64_t> squeezed(std::vector<std::int64_t> shape) {
  std::erase(shape, 1);
  return shape;
}

/** Tensors that a checkpoint may have and the network computes for itself or never uses. */
bool is_derived(std::string_view name) {
  return name == "mask_token" || name == "embeddings.mask_token" || name == "rope_embed.periods" ||
         name.ends_with("attn.qkv.bias_mask") || name.ends_with("num_batches_tracked") ||
         name.starts_with("norms.") || name == "local_cls_norm.weight" ||
         name == "local_cls_norm.bias" || name.ends_with("relative_position_index") ||
         name.ends_with("rope.periods") || name.ends_with("inv_freq");
}

class Assembly {
 public:
  Assembly(const NamedTensors& tensors, Weights& out)
      : tensors_(tensors), architecture_(out.network.architecture), out_(out) {}

  void add(const Rule& rule) {
    if (rule.parts.size() == 1 && !rule.parts[0].name.empty()) {
      if (const auto* record = find(rule, rule.parts[0])) keep(rule, *record);
      return;
    }
    join(rule);
  }

  /** Throws if anything was missing, misshapen or left over. */
  void finish(std::string_view origin, std::string_view cause) {
    for (const auto& [name, record] : tensors_) {
      if (used_.contains(name)) continue;
      (is_derived(name) ? out_.ignored : misfit_.extra).push_back(name);
    }
    if (!misfit_.empty())
      fail(ErrorKind::Format, "[weights] {}: tensors do not fit: {}; {}", origin, misfit_.text(),
           cause);
  }

 private:
  const format::TensorRecord* find(const Rule& rule, const Part& part) {
    const auto found = tensors_.find(part.name);
    if (found == tensors_.end()) {
      if (!part.optional) misfit_.missing.push_back(part.name);
      return nullptr;
    }
    used_.insert(part.name);
    const format::DType dtype = found->second->dtype;
    if (rule.target.integer ? dtype != format::DType::I64 : !format::is_float(dtype)) {
      misfit_.misshapen.push_back(
          fmt::format("{} is stored as {}, expected {}", part.name, format::dtype_name(dtype),
                      rule.target.integer ? "I64" : "floats (quantized weights are not read)"));
      return nullptr;
    }
    const auto expected = part_shape(rule, part);
    if (squeezed(found->second->shape) == squeezed(expected)) return found->second;
    misfit_.misshapen.push_back(fmt::format("{} is [{}], expected [{}]", part.name,
                                            fmt::join(found->second->shape, ", "),
                                            fmt::join(expected, ", ")));
    return nullptr;
  }

  void keep(const Rule& rule, const format::TensorRecord& record) {
    if (rule.target.name.ends_with("attn.qkv.bias") && architecture_.vit.mask_key_bias &&
        !key_part_is_zero(record)) {
      join(rule);
      return;
    }
    out_.tensors.push_back(
        {rule.target.name, record.dtype, rule.target.shape, record.bytes, record.owner});
  }

  bool key_part_is_zero(const format::TensorRecord& record) const {
    const std::size_t third = record.bytes.size() / 3;
    return all_zero(record.bytes.subspan(third, third));
  }

  /** Parts one after another in memory of our own. */
  void join(const Rule& rule) {
    std::vector<const format::TensorRecord*> records;
    const format::TensorRecord* first = nullptr;
    for (const Part& part : rule.parts) {
      records.push_back(part.name.empty() ? nullptr : find(rule, part));
      if (first == nullptr) first = records.back();
    }
    const format::DType dtype = first == nullptr ? format::DType::F32 : first->dtype;
    const std::size_t item = format::item_bytes(dtype);
    auto bytes = std::make_shared<std::vector<std::byte>>(
        static_cast<std::size_t>(format::byte_count(dtype, rule.target.shape)));
    std::size_t at = 0;
    for (std::size_t i = 0; i < records.size(); ++i) {
      const std::size_t size = static_cast<std::size_t>(rule.parts[i].elements) * item;
      if (records[i] != nullptr) {
        if (records[i]->dtype != dtype || records[i]->bytes.size() != size) {
          misfit_.misshapen.push_back(fmt::format("{} is {}, its neighbor {}", rule.parts[i].name,
                                                  format::dtype_name(records[i]->dtype),
                                                  format::dtype_name(dtype)));
          return;
        }
        std::memcpy(bytes->data() + at, records[i]->bytes.data(), size);
      }
      at += size;
    }
    if (rule.target.name.ends_with("attn.qkv.bias") && architecture_.vit.mask_key_bias)
      std::fill_n(bytes->begin() + static_cast<std::ptrdiff_t>(bytes->size() / 3),
                  bytes->size() / 3, std::byte{0});
    out_.tensors.push_back({rule.target.name, dtype, rule.target.shape, *bytes, bytes});
  }

  const NamedTensors& tensors_;
  const arch::Architecture& architecture_;
  Weights& out_;
  std::set<std::string, std::less<>> used_;
  Misfit misfit_;
};

}  // namespace

void assemble(const NamedTensors& tensors, const std::vector<Rule>& rules, std::string_view origin,
              std::string_view cause, Weights& out) {
  Assembly assembly(tensors, out);
  for (const Rule& rule : rules) assembly.add(rule);
  assembly.finish(origin, cause);
}

}  // namespace dino::weights
