// Container -> names -> scheme and architecture -> rules -> canonical tensors.
#include "dino/weights/read.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>

#include "dino/arch/zoo.h"
#include "dino/base/error.h"
#include "dino/base/json.h"
#include "dino/base/text.h"
#include "dino/format/tensor_file.h"
#include "dino/weights/assemble.h"
#include "dino/weights/detect.h"
#include "dino/weights/hf_config.h"
#include "dino/weights/select.h"

namespace dino::weights {
namespace {

namespace fs = std::filesystem;

constexpr const char* kDescription = "dino";  // our entry in a safetensors file's metadata
constexpr std::string_view kCheckpoint = "dino_checkpoint";  // that of our training checkpoints

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

/** A head that is not what it should be does not keep anyone from using the backbone. */
void take_heads(const Selection& selected, const std::string& origin, Weights& out) {
  for (const auto& [name, tensors] : selected.heads) {
    try {
      out.heads.push_back(make_head(name, tensors, origin));
    } catch (const Error& error) {
      out.unusable_heads.push_back(fmt::format("{}: {}", name, error.what()));
    }
  }
  out.ignored.insert(out.ignored.end(), selected.ignored.begin(), selected.ignored.end());
}

Weights read_own(const format::TensorFile& file, const std::string& origin) {
  Weights out;
  out.network = arch::network_from_json(file.metadata().at(kDescription), origin);
  NamedTensors backbone;
  std::map<std::string, NamedTensors> heads;
  for (const auto& tensor : file.tensors()) {
    const auto [head, name] = own_head_of(tensor.name);
    (head.empty() ? backbone : heads[std::string(head)]).emplace(name, &tensor);
  }
  assemble(backbone, rules(Layout::Dino, out.network.architecture), origin,
           "the file's description of the network is another network's", out);
  for (const auto& [name, tensors] : heads) out.heads.push_back(make_head(name, tensors, origin));
  return out;
}

/** The network in the description of a checkpoint that `dino train` wrote; checkpoints of version
 * 0.1 have none. */
std::optional<arch::Network> described_network(const format::TensorFile& file,
                                               const std::string& origin) {
  const auto found = file.metadata().find(std::string(kCheckpoint));
  if (found == file.metadata().end()) return std::nullopt;
  const nlohmann::json info = parse_json(found->second, "weights", origin);
  const auto network = info.find("network");
  if (network == info.end() || !network->is_string() || network->get<std::string>().empty())
    return std::nullopt;
  return arch::network_from_json(network->get<std::string>(), origin);
}

/** --arch: what the published backbone is, but for tensors that ports leave out. */
arch::Network published_network(const std::string& name, const arch::Vit& found) {
  arch::Network network = arch::zoo_entry(name).network;
  arch::Vit& v = network.architecture.vit;
  if (!found.mask_token) v.mask_token = false;
  if (!found.local_cls_norm) v.local_cls_norm = false;
  v.positions = found.positions == arch::Positions::LearnedSize ? found.positions : v.positions;
  return network;
}

/** What of a path may name the weights: the file, and the folder of a model.safetensors. */
std::string told_by(const fs::path& path) {
  return path.parent_path().filename().string() + "/" + path.filename().string();
}

Weights read_foreign(const format::TensorFile& file, const std::string& origin,
                     const ReadOptions& options) {
  const Selection selected = select_network(file.tensors(), options.network, origin);
  const NamedTensors& named = selected.backbone;
  Weights out;
  take_heads(selected, origin, out);
  if (const auto network = described_network(file, origin)) {
    out.network = *network;
    assemble(named, rules(Layout::Dino, network->architecture), origin,
             "the checkpoint's description of the network is another network's", out);
    return out;
  }
  if (named.empty() && !out.heads.empty())
    fail(ErrorKind::Format,
         "[weights] {}: holds a {} alone ({}) and no backbone: name the backbone, and this file as "
         "its --heads",
         origin, out.heads[0].name, describe(out.heads[0].shape));
  Detected detected = detect(named, origin, told_by(file.path()));
  arch::Network& network = detected.network;
  bool statistics = false;
  if (detected.layout == Layout::HuggingFace) {
    const HfFiles found = apply_hf_config(file.path().parent_path(), network);
    if (!found.config)
      detected.notes.push_back(
          "no config.json beside the weights: heads and epsilon are the published ones");
    statistics = found.preprocessor;
    if (statistics && !network.architecture.name.empty()) name_by_statistics(network);
  }
  if (!detected.doubt.empty() && !statistics) detected.notes.push_back(detected.doubt);
  std::string cause = fmt::format(
      "they were taken for {} names of {}", name_of(detected.layout),
      network.architecture.name.empty() ? "a backbone like DINO's" : network.architecture.name);
  if (!options.arch.empty()) {
    network = published_network(options.arch, network.architecture.vit);
    detected.notes.clear();
    cause = fmt::format("is this really a {}?", options.arch);
  }
  take_rope_base(named, network.architecture.vit, origin);
  out.network = std::move(network);
  out.layout = detected.layout;
  out.notes = std::move(detected.notes);
  assemble(named, rules(detected.layout, out.network.architecture, detected.newer_hf), origin,
           cause, out);
  return out;
}

void set_positions(arch::Positions positions, const std::string& origin, arch::Architecture& a) {
  const bool learned = a.family == arch::Family::Vit && a.vit.positions != arch::Positions::Rope;
  if (!learned || positions == arch::Positions::Rope)
    fail(ErrorKind::Usage, "[weights] {}: positions cannot be {}: {}", origin,
         arch::name_of(positions),
         learned ? "this network has a learned table, resampled as learned_offset, learned_size or "
                   "learned_antialias says"
                 : "this network has no learned table of positions");
  a.vit.positions = positions;
}

void own(const format::TensorFile& file, std::vector<Head>& heads) {
  for (Head& head : heads) head.owner = file.mapping();
}

}  // namespace

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

Weights read(const fs::path& path, const ReadOptions& options) {
  const format::TensorFile file = format::open_tensors(weights_file(path));
  const std::string origin = printable(file.path());
  Weights out = file.metadata().contains(kDescription) ? read_own(file, origin)
                                                       : read_foreign(file, origin, options);
  if (options.positions) set_positions(*options.positions, origin, out.network.architecture);
  arch::validate(out.network.architecture);
  own(file, out.heads);
  out.owners.push_back(file.mapping());
  out.mapped = file.mapped();
  out.source =
      fmt::format("{}, {} names", format::container_name(file.container()), name_of(out.layout));
  return out;
}

std::vector<Head> read_heads(const fs::path& path, const ReadOptions& options) {
  const format::TensorFile file = format::open_tensors(path);
  const std::string origin = printable(file.path());
  std::vector<Head> heads;
  for (const auto& [name, tensors] : select_network(file.tensors(), options.network, origin).heads)
    heads.push_back(make_head(name, tensors, origin));
  own(file, heads);
  return heads;
}

void add_heads(Weights& weights, std::vector<Head> heads) {
  const arch::Architecture& a = weights.network.architecture;
  for (Head& head : heads) {
    const std::int64_t width = head.shape.in_dim;
    if (std::ranges::find(weights.heads, head.name, &Head::name) != weights.heads.end())
      fail(ErrorKind::Usage, "[weights] these weights have a {} already", head.name);
    const bool projection = head.shape.kind == HeadKind::Projection;
    if (projection ? width != a.dim() : classifier_input(a, width).empty())
      fail(
          ErrorKind::Usage,
          "[weights] the {} takes {} features, which this backbone of {} does not give: whose head "
          "is it?",
          head.name, width, a.dim());
    weights.heads.push_back(std::move(head));
  }
}

}  // namespace dino::weights
