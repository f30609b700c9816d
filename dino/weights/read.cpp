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
#include "dino/format/floats.h"
#include "dino/format/tensor_file.h"
#include "dino/weights/assemble.h"
#include "dino/weights/detect.h"
#include "dino/weights/hf_config.h"
#include "dino/weights/preprocessor_config.h"
#include "dino/weights/select.h"
#include "dino/weights/timm_config.h"

namespace dino::weights {
namespace {

namespace fs = std::filesystem;

constexpr const char* kDescription = "dino";  // our entry in a safetensors file's metadata
constexpr std::string_view kCheckpoint = "dino_checkpoint";  // that of our training checkpoints

/** DINOv3 stores the periods of its rotations, and computes with what is stored: the releases' are
 * rounded to bf16. Exact powers of one base are kept as that base alone. */
void take_rope_periods(const NamedTensors& tensors, arch::Vit& v, std::string_view origin) {
  const auto found = tensors.find("rope_embed.periods");
  if (found == tensors.end() || v.positions != arch::Positions::Rope) return;
  const format::TensorRecord& record = *found->second;
  const std::int64_t quarter = v.dim / v.heads / 4;
  if (record.shape != std::vector<std::int64_t>{quarter})
    fail(ErrorKind::Format,
         "[weights] {}: rope_embed.periods is [{}], expected [{}]: has the network {} heads?",
         origin, fmt::join(record.shape, ", "), quarter, v.heads);
  if (!format::is_float(record.dtype))
    fail(ErrorKind::Format, "[weights] {}: rope_embed.periods is stored as {}, expected floats",
         origin, format::dtype_name(record.dtype));
  const std::vector<float> stored = format::to_floats(record);
  const std::vector<double> periods(stored.begin(), stored.end());
  for (const double period : periods)
    if (!(period > 0 && std::isfinite(period)))
      fail(ErrorKind::Format, "[weights] {}: rope_embed.periods holds {}; periods are above 0",
           origin, period);
  if (quarter > 1) {
    const double base =
        std::pow(periods.back(), static_cast<double>(quarter) / static_cast<double>(quarter - 1));
    constexpr double kLargestBase = 1e9;
    if (base > 0 && base < kLargestBase && std::abs(base - v.rope_base) > 0.02 * v.rope_base)
      v.rope_base = base;
  }
  const std::vector<float> exact = arch::rope_periods(v);
  const bool same = std::ranges::equal(periods, exact, [](double a, float b) {
    return std::abs(a - static_cast<double>(b)) <= 1e-6 * a;
  });
  if (!same) v.rope_periods = periods;
}

/** Reads heads; an invalid one is noted, and the backbone stays usable. */
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

/** For --arch: the published backbone, without the tensors that ports omit. */
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

/** Adds the file's name to the error if its description is not supported. */
void check_network(const arch::Network& network, const std::string& origin) {
  try {
    arch::validate(network.architecture);
    data::validate(network.preprocess);
  } catch (const Error& error) {
    fail(ErrorKind::Format, "[weights] {}: its network cannot be used: {}", origin, error.what());
  }
}

/** Applies the settings beside the weights. Returns whether they define the preprocessing. */
bool take_configs(const fs::path& folder, Detected& detected) {
  arch::Network& network = detected.network;
  const fs::path config = folder / "config.json";
  if (detected.layout != Layout::HuggingFace)
    return fs::exists(config) &&
           apply_timm_config(read_json_file(config), printable(config), detected);
  if (fs::exists(config)) {
    apply_hf_config(read_json_file(config), printable(config), network.architecture,
                    detected.notes);
    detected.heads_guessed = false;
  } else {
    detected.notes.push_back(
        "no config.json beside the weights: heads and epsilon are the published ones");
  }
  check_network(network, printable(config));
  const fs::path preprocessor = folder / "preprocessor_config.json";
  if (!fs::exists(preprocessor)) return false;
  apply_preprocessor_config(read_json_file(preprocessor), printable(preprocessor),
                            network.preprocess, detected.notes);
  check_network(network, printable(preprocessor));
  if (!network.architecture.name.empty()) name_by_statistics(network);
  return true;
}

Weights read_foreign(const format::TensorFile& file, const std::string& origin,
                     const ReadOptions& options) {
  const Selection selected = select_network(
      file.tensors(), {.network = options.network, .prefix = options.prefix}, origin);
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
  const bool statistics = take_configs(file.path().parent_path(), detected);
  if (!detected.doubt.empty() && !statistics) detected.notes.push_back(detected.doubt);
  std::string cause = fmt::format(
      "they were taken for {} names of {}", name_of(detected.layout),
      network.architecture.name.empty() ? "a backbone like DINO's" : network.architecture.name);
  if (!options.arch.empty()) {
    network = published_network(options.arch, network.architecture.vit);
    detected.notes.clear();
    cause = fmt::format("is this really a {}?", options.arch);
  }
  if (const arch::Vit& v = network.architecture.vit; detected.heads_guessed && options.arch.empty())
    detected.notes.push_back(
        fmt::format("not a published size: {} heads of {} assumed", v.heads, v.dim / v.heads));
  take_rope_periods(named, network.architecture.vit, origin);
  out.network = std::move(network);
  out.layout = detected.layout;
  out.notes = selected.notes;
  out.notes.insert(out.notes.end(), detected.notes.begin(), detected.notes.end());
  assemble(named, rules(detected.layout, out.network.architecture, detected.newer_hf), origin,
           cause, out);
  return out;
}

void set_positions(arch::Positions positions, const std::string& origin, arch::Architecture& a) {
  const bool learned = a.family == arch::Family::Vit && !a.vit.rotary();
  if (!learned || positions == arch::Positions::Rope)
    fail(ErrorKind::Usage, "[weights] {}: positions cannot be {}: {}", origin,
         arch::name_of(positions),
         learned ? "this network has a learned table, resampled as learned_offset, learned_size or "
                   "learned_antialias says"
                 : "this network has no learned table of positions");
  a.vit.positions = positions;
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
  check_network(out.network, origin);
  out.origin = origin;
  out.mapped = file.mapped();
  out.source =
      fmt::format("{}, {} names", format::container_name(file.container()), name_of(out.layout));
  return out;
}

std::vector<Head> read_heads(const fs::path& path, const ReadOptions& options) {
  const format::TensorFile file = format::open_tensors(path);
  const std::string origin = printable(file.path());
  const Selection selected = select_network(
      file.tensors(), {.network = options.network, .prefix = options.prefix}, origin);
  std::vector<Head> heads;
  for (const auto& [name, tensors] : selected.heads)
    heads.push_back(make_head(name, tensors, origin));
  return heads;
}

void require_finite(const Weights& weights, bool heads_too) {
  const auto check = [&](const format::TensorRecord& tensor, std::string_view where) {
    if (const auto at = format::first_not_finite(tensor))
      fail(ErrorKind::Format,
           "[weights] {}: {}{} holds a number that is not finite in fp32 (element {}): the weights "
           "are damaged, or overflowed where they were saved",
           weights.origin, where, tensor.name, *at);
  };
  for (const auto& tensor : weights.tensors) check(tensor, "");
  if (!heads_too) return;
  for (const Head& head : weights.heads)
    for (const auto& tensor : head.tensors) check(tensor, head.name + ".");
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
