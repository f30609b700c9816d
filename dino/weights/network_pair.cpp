#include "dino/weights/network_pair.h"

#include <algorithm>
#include <set>

#include "dino/base/error.h"
#include "dino/format/tensor_file.h"
#include "dino/weights/container.h"
#include "dino/weights/disassemble.h"
#include "dino/weights/generation.h"
#include "dino/weights/select.h"

namespace dino::weights {
namespace {

constexpr std::string_view kDinoCenter = "dino_loss.center";

Generation generation_in(const NetworkPair& checkpoint) {
  DINO_ASSERT(!checkpoint.networks.empty());
  return generation_of(checkpoint.networks.begin()->second.network.architecture);
}

/** Why this generation's checkpoints cannot store the head; empty if they can. */
std::string unfit(Generation generation, const Head& head) {
  if (head.shape.kind == HeadKind::Classifier) return "a checkpoint has no classifier";
  if (generation == Generation::Dino && head.name != kDinoHead) return "DINO has one head";
  const bool weight_norm = generation != Generation::DinoV3;
  if (head.shape.weight_norm == weight_norm) return "";
  return weight_norm ? "last_layer has weight norm in this code, and not here"
                     : "DINOv3's last_layer has no weight norm";
}

/** The prefix of that head's tensors in the checkpoints of this generation's code. */
std::string head_prefix(Generation generation, const std::string& name) {
  return generation == Generation::Dino ? "head." : name + ".";
}

void add_network(const Weights& weights, const std::string& prefix, Output& out) {
  const Generation generation = generation_of(weights.network.architecture);
  add_backbone(weights, Layout::Official, prefix + "backbone.", out);
  for (const Head& head : weights.heads)
    if (unfit(generation, head).empty())
      add_head(head, prefix + head_prefix(generation, head.name), out);
}

/** main_dino.py wraps what has batch norm in DistributedDataParallel, and always the student. */
bool is_wrapped(const std::string& network, const Weights& weights) {
  const arch::Family family = weights.network.architecture.family;
  return network == "student" || family == arch::Family::ResNet50 || family == arch::Family::Xcit ||
         std::ranges::any_of(weights.heads, [](const Head& h) { return h.shape.batch_norm; });
}

/** [1, K], or [1, 1, K] for patches. */
std::vector<std::int64_t> center_shape(const format::TensorRecord& center) {
  std::vector<std::int64_t> shape = {1, format::element_count(center.shape)};
  if (center.name.starts_with("ibot")) shape.insert(shape.begin(), 1);
  return shape;
}

std::vector<format::TorchEntry> dino_entries(const NetworkPair& checkpoint,
                                             std::vector<Output>& outputs) {
  std::vector<format::TorchEntry> entries;
  for (const auto& [name, weights] : checkpoint.networks) {
    add_network(weights, is_wrapped(name, weights) ? "module." : "", outputs.emplace_back());
    entries.push_back({name, outputs.back().records()});
  }
  for (const auto& center : checkpoint.centers)
    if (center.name == kDinoCenter)
      entries.push_back(
          {"dino_loss",
           {{"center", center.dtype, center_shape(center), center.bytes, center.owner}}});
  return entries;
}

std::vector<format::TorchEntry> newer_entries(const NetworkPair& checkpoint,
                                              std::vector<Output>& outputs) {
  Output& out = outputs.emplace_back();
  const bool alone = checkpoint.networks.size() == 1 && checkpoint.networks.contains("teacher") &&
                     checkpoint.centers.empty();
  if (alone) {
    add_network(checkpoint.networks.at("teacher"), "", out);
    return {{"teacher", out.records()}};
  }
  for (const auto& [name, weights] : checkpoint.networks) add_network(weights, name + ".", out);
  for (const auto& center : checkpoint.centers)
    out.add(center.name, center.dtype, center_shape(center), center.bytes);
  return {{"model", out.records()}};
}

}  // namespace

NetworkPair read_network_pair(const std::filesystem::path& path, const ReadOptions& options) {
  const format::TensorFile file = format::open_tensors(weights_file(path));
  const auto names = networks_in(file.tensors());
  NetworkPair checkpoint;
  if (names.empty()) {
    checkpoint.networks.emplace("teacher", read(path, options));
    return checkpoint;
  }
  std::set<std::string> left_out;
  for (const auto& name : names) {
    ReadOptions of_this = options;
    of_this.network = name;
    checkpoint.networks.emplace(name, read(path, of_this));
  }
  for (format::TensorRecord tensor : file.tensors()) {
    for (const std::string_view root : {"model.", "state_dict."})
      if (tensor.name.starts_with(root)) tensor.name.erase(0, root.size());
    const std::string part = tensor.name.substr(0, tensor.name.find('.'));
    if (part.ends_with("_loss") && tensor.name == part + ".center") {
      tensor.shape = {format::element_count(tensor.shape)};
      checkpoint.centers.push_back(std::move(tensor));
    } else if (!checkpoint.networks.contains(part)) {
      left_out.insert(part);
    }
  }
  checkpoint.left_out.assign(left_out.begin(), left_out.end());
  return checkpoint;
}

std::vector<std::string> losses(const NetworkPair& checkpoint) {
  const Generation generation = generation_in(checkpoint);
  std::vector<std::string> lost;
  for (const auto& [name, weights] : checkpoint.networks) {
    for (const std::string& tensor : backbone_losses(weights, Layout::Official))
      lost.push_back(fmt::format("{}'s {}", name, tensor));
    for (const Head& head : weights.heads)
      if (const std::string why = unfit(generation, head); !why.empty())
        lost.push_back(fmt::format("{}'s {} ({})", name, head.name, why));
    for (const std::string& why : weights.unusable_heads)
      lost.push_back(fmt::format("{}'s {}", name, why));
  }
  for (const auto& center : checkpoint.centers)
    if (generation == Generation::Dino && center.name != kDinoCenter)
      lost.push_back(fmt::format("{} (DINO has one loss)", center.name));
  return lost;
}

void write_network_pair(const std::filesystem::path& path, const NetworkPair& checkpoint,
                        bool allow_loss) {
  if (const auto lost = losses(checkpoint); !lost.empty() && !allow_loss)
    fail(ErrorKind::Usage,
         "[convert] the checkpoint cannot hold: {}; --allow-loss converts without",
         fmt::join(lost, ", "));
  std::vector<Output> outputs;
  outputs.reserve(checkpoint.networks.size());
  write_container(path, generation_in(checkpoint) == Generation::Dino
                            ? dino_entries(checkpoint, outputs)
                            : newer_entries(checkpoint, outputs));
}

}  // namespace dino::weights
