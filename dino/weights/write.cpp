#include "dino/weights/write.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>

#include "dino/base/error.h"
#include "dino/base/json.h"
#include "dino/base/text.h"
#include "dino/format/safetensors.h"
#include "dino/format/torch_zip.h"
#include "dino/weights/hf_config.h"
#include "dino/weights/rules.h"

namespace dino::weights {
namespace {

namespace fs = std::filesystem;
using Bytes = std::span<const std::byte>;

bool all_zero(Bytes bytes) {
  return std::ranges::all_of(bytes, [](std::byte b) { return b == std::byte{0}; });
}

/** Tensors to write, and memory of those made for the purpose. */
class Output {
 public:
  void add(std::string name, format::DType dtype, std::vector<std::int64_t> shape, Bytes bytes) {
    records_.push_back({std::move(name), dtype, std::move(shape), bytes});
  }
  void add_floats(std::string name, const std::vector<float>& values) {
    const auto bytes = std::as_bytes(std::span(values));
    own_.push_back({bytes.begin(), bytes.end()});
    add(std::move(name), format::DType::F32, {static_cast<std::int64_t>(values.size())},
        own_.back());
  }
  const std::vector<format::TensorRecord>& records() const { return records_; }

 private:
  std::vector<format::TensorRecord> records_;
  std::vector<std::vector<std::byte>> own_;  // the spans point to the heap: moving these is safe
};

/** Buffers the reference's files hold beside the parameters. */
void add_official_buffers(const arch::Architecture& a, const Weights& weights, Output& out) {
  const arch::Vit& v = a.vit;
  if (a.family == arch::Family::Vit && v.positions == arch::Positions::Rope) {
    const std::int64_t quarter = v.dim / v.heads / 4;
    std::vector<float> periods;
    for (std::int64_t k = 0; k < quarter; ++k)
      periods.push_back(static_cast<float>(
          std::pow(v.rope_base, static_cast<double>(k) / static_cast<double>(quarter))));
    out.add_floats("rope_embed.periods", periods);
    if (v.mask_key_bias) {
      std::vector<float> mask(static_cast<std::size_t>(3 * v.dim), 1.0F);
      std::fill_n(mask.begin() + v.dim, v.dim, 0.0F);
      for (std::int64_t i = 0; i < v.depth; ++i)
        out.add_floats(fmt::format("blocks.{}.attn.qkv.bias_mask", i), mask);
    }
  }
  for (const auto& tensor : weights.tensors) {
    if (a.family == arch::Family::ConvNext && tensor.name.starts_with("norm."))
      out.add("norms.3." + tensor.name.substr(5), tensor.dtype, tensor.shape, tensor.bytes);
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
         a.vit.positions != arch::Positions::Rope;
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

bool is_torch_path(const fs::path& path) {
  const auto extension = path.extension();
  return extension == ".pth" || extension == ".pt" || extension == ".bin";
}

void write_container(const fs::path& path, const Output& out,
                     const std::map<std::string, std::string>& metadata) {
  if (is_torch_path(path)) {
    format::write_torch_zip(path, out.records());
  } else if (path.extension() == ".safetensors") {
    format::write_safetensors(path, out.records(), metadata);
  } else {
    fail(ErrorKind::Usage, "[convert] {}: the name must end in .safetensors, .pth, .pt or .bin",
         printable(path));
  }
}

}  // namespace

std::vector<std::string> losses(const Weights& weights, Layout layout) {
  std::vector<std::string> lost;
  for_each_part(weights, layout, [&](const Rule& rule, const Part& part, Bytes bytes, const auto&) {
    if (!part.name.empty() || all_zero(bytes)) return;
    if (rule.target.name == "pos_embed" && folds_cls_position(weights.network.architecture, layout))
      lost.push_back("the position of CLS, which is added into cls_token (features stay the same)");
    else
      lost.push_back(rule.target.name);
  });
  return lost;
}

void write(const fs::path& path, const Weights& weights, const WriteOptions& options) {
  const arch::Architecture& a = weights.network.architecture;
  const bool hf = options.layout == Layout::HuggingFace;
  if (hf && (is_torch_path(path) || path.extension() == ".safetensors"))
    fail(ErrorKind::Usage, "[convert] {}: transformers' form is a folder; name one",
         printable(path));
  if (options.layout == Layout::Dino && path.extension() != ".safetensors")
    fail(ErrorKind::Usage, "[convert] {}: our own weights are .safetensors files", printable(path));
  if (const auto lost = losses(weights, options.layout); !lost.empty() && !options.allow_loss)
    fail(ErrorKind::Usage, "[convert] {} names cannot hold {}: {}; --allow-loss converts without",
         name_of(options.layout), lost.size() == 1 ? "one tensor" : "some tensors",
         fmt::join(lost, ", "));

  // A named optional part is written if any of its tensor is not zero.
  Output out;
  const bool fold = folds_cls_position(a, options.layout);
  for_each_part(weights, options.layout,
                [&](const Rule& rule, const Part& part, Bytes bytes, const auto& tensor) {
                  if (part.name.empty() || (part.optional && all_zero(tensor.bytes))) return;
                  if (fold && rule.target.name == "cls_token") return;
                  auto shape = part_shape(rule, part);
                  if (fold && rule.target.name == "pos_embed")
                    shape = {1, rule.target.shape[1] - 1, rule.target.shape[2]};
                  out.add(part.name, tensor.dtype, std::move(shape), bytes);
                });
  if (fold) {
    const auto sum = folded_cls(weights);
    if (!sum)
      fail(ErrorKind::Usage, "[convert] adding CLS's position into cls_token needs fp32 weights");
    out.add("cls_token", format::DType::F32, {1, 1, a.vit.dim}, std::as_bytes(std::span(*sum)));
  }
  if (options.layout == Layout::Official) add_official_buffers(a, weights, out);

  std::map<std::string, std::string> metadata = {{"format", "pt"}};
  if (options.layout == Layout::Dino) metadata["dino"] = arch::to_json(weights.network);
  if (!hf) return write_container(path, out, metadata);
  const nlohmann::json config = hf_config(a);
  std::error_code error;
  fs::create_directories(path, error);
  if (error)
    fail(ErrorKind::Io, "[convert] cannot make folder {}: {}", printable(path), error.message());
  write_container(path / "model.safetensors", out, metadata);
  write_json_file(path / "config.json", config);
  write_json_file(path / "preprocessor_config.json", hf_preprocessor(weights.network));
}

}  // namespace dino::weights
