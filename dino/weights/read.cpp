// Container -> names -> scheme and architecture -> rules -> canonical tensors.
#include "dino/weights/read.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <set>

#include "dino/arch/zoo.h"
#include "dino/base/error.h"
#include "dino/base/text.h"
#include "dino/format/tensor_file.h"
#include "dino/weights/detect.h"
#include "dino/weights/hf_config.h"
#include "dino/weights/rules.h"

namespace dino::weights {
namespace {

namespace fs = std::filesystem;

constexpr const char* kDescription = "dino";  // our entry in a safetensors file's metadata
constexpr std::size_t kListed = 6;            // tensors named in an error

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

std::string listed(const std::vector<std::string>& items) {
  const std::size_t shown = std::min(items.size(), kListed);
  std::string text = fmt::format(
      "{}", fmt::join(items.begin(), items.begin() + static_cast<std::ptrdiff_t>(shown), ", "));
  if (items.size() > shown) text += fmt::format(" and {} more", items.size() - shown);
  return text;
}

float to_float(const format::TensorRecord& record, std::int64_t i) {
  const std::byte* at =
      record.bytes.data() + static_cast<std::size_t>(i) * format::item_bytes(record.dtype);
  if (record.dtype == format::DType::F32) {
    float value = 0;
    std::memcpy(&value, at, sizeof value);
    return value;
  }
  if (record.dtype == format::DType::BF16) {
    std::uint32_t bits = 0;
    std::memcpy(reinterpret_cast<std::byte*>(&bits) + 2, at, 2);
    float value = 0;
    std::memcpy(&value, &bits, sizeof value);
    return value;
  }
  return std::nanf("");
}

class Assembly {
 public:
  Assembly(const NamedTensors& tensors, const arch::Architecture& architecture, Weights& out)
      : tensors_(tensors), architecture_(architecture), out_(out) {}

  void add(const Rule& rule) {
    if (rule.parts.size() == 1 && !rule.parts[0].name.empty()) {
      if (const auto* record = find(rule, rule.parts[0])) keep(rule, *record);
      return;
    }
    join(rule);
  }

  /** Throws if anything was missing, misshapen or left over. */
  void finish(std::string_view origin, std::string_view cause) {
    std::vector<std::string> extra;
    for (const auto& [name, record] : tensors_) {
      if (used_.contains(name)) continue;
      (is_derived(name) ? out_.ignored : extra).push_back(name);
    }
    std::vector<std::string> parts;
    if (!missing_.empty())
      parts.push_back(fmt::format("{} missing: {}", missing_.size(), listed(missing_)));
    if (!misshapen_.empty())
      parts.push_back(
          fmt::format("{} of another shape: {}", misshapen_.size(), listed(misshapen_)));
    if (!extra.empty())
      parts.push_back(fmt::format("{} not expected: {}", extra.size(), listed(extra)));
    if (!parts.empty())
      fail(ErrorKind::Format, "[weights] {}: tensors do not fit: {}; {}", origin,
           fmt::join(parts, "; "), cause);
  }

 private:
  const format::TensorRecord* find(const Rule& rule, const Part& part) {
    const auto found = tensors_.find(part.name);
    if (found == tensors_.end()) {
      if (!part.optional) missing_.push_back(part.name);
      return nullptr;
    }
    used_.insert(part.name);
    const auto expected = part_shape(rule, part);
    if (squeezed(found->second->shape) == squeezed(expected)) return found->second;
    misshapen_.push_back(fmt::format("{} is [{}], expected [{}]", part.name,
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
    out_.tensors.push_back({rule.target.name, record.dtype, rule.target.shape, record.bytes});
  }

  bool key_part_is_zero(const format::TensorRecord& record) const {
    const std::size_t third = record.bytes.size() / 3;
    return std::ranges::all_of(record.bytes.subspan(third, third),
                               [](std::byte b) { return b == std::byte{0}; });
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
          misshapen_.push_back(fmt::format("{} is {}, its neighbour {}", rule.parts[i].name,
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
    out_.tensors.push_back({rule.target.name, dtype, rule.target.shape, *bytes});
    out_.owners.push_back(std::move(bytes));
  }

  const NamedTensors& tensors_;
  const arch::Architecture& architecture_;
  Weights& out_;
  std::set<std::string, std::less<>> used_;
  std::vector<std::string> missing_, misshapen_;
};

/** DINOv3 stores the periods of its rotations; the base they are powers of is what we keep. */
void take_rope_base(const NamedTensors& tensors, arch::Vit& v, std::string_view origin) {
  const auto found = tensors.find("rope_embed.periods");
  if (found == tensors.end() || v.positions != arch::Positions::Rope) return;
  const format::TensorRecord& periods = *found->second;
  const std::int64_t quarter = v.dim / v.heads / 4;
  if (periods.shape != std::vector<std::int64_t>{quarter})
    fail(ErrorKind::Format,
         "[weights] {}: rope_embed.periods is [{}], expected [{}]: has the network {} heads?",
         origin, fmt::join(periods.shape, ", "), quarter, v.heads);
  if (quarter > 1) {
    const double base = std::pow(static_cast<double>(to_float(periods, quarter - 1)),
                                 static_cast<double>(quarter) / static_cast<double>(quarter - 1));
    if (std::isfinite(base) && std::abs(base - v.rope_base) > 0.02 * v.rope_base)
      v.rope_base = base;
  }
  for (std::int64_t k = 0; k < quarter; ++k) {
    const double expected =
        std::pow(v.rope_base, static_cast<double>(k) / static_cast<double>(quarter));
    if (!(std::abs(static_cast<double>(to_float(periods, k)) - expected) < 0.01 * expected))
      fail(ErrorKind::Format,
           "[weights] {}: rope_embed.periods are no powers of one base; such a network cannot be "
           "computed",
           origin);
  }
}

/** A run directory stands for the teacher it ended with. */
fs::path weights_file(const fs::path& path) {
  const fs::path inside = path / "weights" / "backbone_teacher.safetensors";
  if (fs::is_directory(path) && fs::exists(path / "recipe.toml")) {
    if (!fs::exists(inside))
      fail(ErrorKind::Io,
           "[weights] {}: no weights/backbone_teacher.safetensors in this run yet; give a weights "
           "file or a run that has saved weights",
           printable(path));
    return inside;
  }
  return path;
}

Weights read_own(const format::TensorFile& file, const std::string& origin) {
  Weights out;
  out.network = arch::network_from_json(file.metadata().at(kDescription), origin);
  NamedTensors named;
  for (const auto& tensor : file.tensors()) named.emplace(tensor.name, &tensor);
  Assembly assembly(named, out.network.architecture, out);
  for (const Rule& rule : rules(Layout::Dino, out.network.architecture)) assembly.add(rule);
  assembly.finish(origin, "the file's description of the network is another network's");
  return out;
}

Weights read_foreign(const format::TensorFile& file, const std::string& origin,
                     const ReadOptions& options) {
  const NamedTensors named = select_network(file.tensors(), options.network, origin);
  Detected detected = detect(named, origin, file.path().filename().string());
  arch::Network& network = detected.network;
  if (detected.layout == Layout::HuggingFace)
    for (std::string& note : apply_hf_config(file.path().parent_path(), network))
      detected.notes.push_back(std::move(note));
  std::string cause = fmt::format(
      "they were taken for {} names of {}", name_of(detected.layout),
      network.architecture.name.empty() ? "a backbone like DINO's" : network.architecture.name);
  if (!options.arch.empty()) {
    const bool mask_token = network.architecture.vit.mask_token;
    network = arch::zoo_entry(options.arch).network;
    if (!mask_token) network.architecture.vit.mask_token = false;
    detected.notes.clear();
    cause = fmt::format("is this really a {}?", options.arch);
  }
  take_rope_base(named, network.architecture.vit, origin);
  Weights out;
  Assembly assembly(named, network.architecture, out);
  for (const Rule& rule : rules(detected.layout, network.architecture, detected.newer_hf))
    assembly.add(rule);
  assembly.finish(origin, cause);
  out.network = std::move(network);
  out.layout = detected.layout;
  out.notes = std::move(detected.notes);
  return out;
}

}  // namespace

Weights read(const fs::path& path, const ReadOptions& options) {
  const format::TensorFile file = format::open_tensors(weights_file(path));
  const std::string origin = printable(file.path());
  Weights out = file.metadata().contains(kDescription) ? read_own(file, origin)
                                                       : read_foreign(file, origin, options);
  arch::validate(out.network.architecture);
  out.owners.push_back(file.mapping());
  out.mapped = file.mapped();
  out.source =
      fmt::format("{}, {} names", format::container_name(file.container()), name_of(out.layout));
  return out;
}

}  // namespace dino::weights
