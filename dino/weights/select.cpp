#include "dino/weights/select.h"

#include <algorithm>
#include <array>

#include "dino/base/error.h"

namespace dino::weights {
namespace {

/** What stands in front of a network's names. */
constexpr std::array<std::string_view, 11> kWrappers = {
    "module.",     "backbone.",   "dinov2_with_registers.", "dinov2.",   "vit.", "model.", "trunk.",
    "state_dict.", "dinov3_vit.", "encoder.model.",         "model_ema."};

/** What sharding, checkpointing and compiling put anywhere in a name. */
constexpr std::array<std::string_view, 3> kInnerWrappers = {
    "_fsdp_wrapped_module.", "_checkpoint_wrapped_module.", "_orig_mod."};

/** Where the networks of a checkpoint may be. */
constexpr std::array<std::string_view, 3> kRoots = {"", "model.", "state_dict."};
constexpr std::array<std::string_view, 2> kNetworks = {"teacher", "student"};

bool is_number(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

/** DINOv2 cuts its blocks into chunks: "blocks.2.13.norm1.weight" is block 13. */
std::string without_chunk(const std::string& name) {
  if (!name.starts_with("blocks.")) return name;
  const std::size_t first = name.find('.', 7);
  const std::size_t second = first == std::string::npos ? first : name.find('.', first + 1);
  if (second == std::string::npos || !is_number(std::string_view(name).substr(7, first - 7)) ||
      !is_number(std::string_view(name).substr(first + 1, second - first - 1)))
    return name;
  return "blocks." + name.substr(first + 1);
}

std::string stripped(std::string name) {
  for (const std::string_view wrapper : kInnerWrappers)
    for (std::size_t at = name.find(wrapper); at != std::string::npos; at = name.find(wrapper, at))
      name.erase(at, wrapper.size());
  for (bool again = true; again;) {
    again = false;
    for (const std::string_view wrapper : kWrappers) {
      if (!name.starts_with(wrapper)) continue;
      name.erase(0, wrapper.size());
      again = true;
    }
  }
  return without_chunk(name);
}

/** "teacher.", "model.teacher.", ...: what the network's tensors begin with; empty if there are
 * none. */
std::string prefix_of(const std::vector<format::TensorRecord>& tensors, std::string_view network) {
  for (const std::string_view root : kRoots) {
    std::string prefix = fmt::format("{}{}.", root, network);
    if (std::ranges::any_of(tensors, [&](const auto& t) { return t.name.starts_with(prefix); }))
      return prefix;
  }
  return "";
}

}  // namespace

std::vector<std::string> networks_in(const std::vector<format::TensorRecord>& tensors) {
  std::vector<std::string> networks;
  for (const std::string_view network : kNetworks)
    if (!prefix_of(tensors, network).empty()) networks.emplace_back(network);
  return networks;
}

std::pair<std::string_view, std::string> head_of(const std::string& name) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 11> kHeads = {
      {{"dino_head.", kDinoHead},
       {"ibot_head.", kIbotHead},
       {"head.mlp.", kDinoHead},
       {"head.last_layer.", kDinoHead},
       {"classifier.", kClassifier},
       {"linear.", kClassifier},
       {"fc.", kClassifier},
       {"head.fc.", kClassifier},
       {"head.norm.", ""},  // timm's ConvNeXt keeps its final norm there
       {"head.weight", kClassifier},
       {"head.bias", kClassifier}}};
  if (name == "weight" || name == "bias") return {kClassifier, name};
  for (const auto& [prefix, head] : kHeads) {
    if (!name.starts_with(prefix)) continue;
    if (head.empty()) return {"", name};
    const bool inner = !prefix.starts_with("head.") || prefix == "head.fc.";
    return {head, name.substr(inner ? prefix.size() : 5)};
  }
  for (const std::string_view other : {"head.", "pooler.", "decode_head.", "head_dist."})
    if (name.starts_with(other)) return {"ignored", name};
  return {"", name};
}

std::pair<std::string_view, std::string> own_head_of(const std::string& name) {
  for (const std::string_view head : {kDinoHead, kIbotHead, kClassifier})
    if (name.starts_with(head) && name.size() > head.size() && name[head.size()] == '.')
      return {head, name.substr(head.size() + 1)};
  return {"", name};
}

Selection select_network(const std::vector<format::TensorRecord>& tensors, std::string_view network,
                         std::string_view origin) {
  const auto networks = networks_in(tensors);
  const std::string prefix = prefix_of(tensors, network);
  if (!networks.empty() && prefix.empty())
    fail(ErrorKind::Format, "[weights] {}: the checkpoint holds no {}; it holds a {}", origin,
         network, networks.front());
  Selection selected;
  for (const auto& tensor : tensors) {
    if (!tensor.name.starts_with(prefix)) continue;
    const std::string name = stripped(tensor.name.substr(prefix.size()));
    const auto [head, rest] = head_of(name);
    if (head == "ignored") {
      selected.ignored.push_back(name);
      continue;
    }
    NamedTensors& named = head.empty() ? selected.backbone : selected.heads[std::string(head)];
    if (!named.emplace(rest, &tensor).second)
      fail(ErrorKind::Format,
           "[weights] {}: two tensors are called {} once the wrappers' prefixes are taken off",
           origin, name);
  }
  return selected;
}

}  // namespace dino::weights
