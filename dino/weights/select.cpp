#include "dino/weights/select.h"

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <span>

#include "dino/base/error.h"
#include "dino/base/text.h"

namespace dino::weights {
namespace {

/** Usual prefixes of a network's tensor names. */
constexpr std::array<std::string_view, 11> kWrappers = {"module.",
                                                        "backbone.",
                                                        "dinov2_with_registers.",
                                                        "dinov2.",
                                                        "vit.",
                                                        "model.",
                                                        "trunk.",
                                                        "state_dict.",
                                                        "dinov3_vit.",
                                                        "encoder.model.",
                                                        "model_state_dict."};
/** Prefixes that also tell which network it is. */
constexpr std::array<std::string_view, 4> kNetworkWrappers = {"teacher.", "student.", "model_ema.",
                                                              "state_dict_ema."};

/** Name parts that sharding, checkpointing and compiling insert. */
constexpr std::array<std::string_view, 3> kInnerWrappers = {
    "_fsdp_wrapped_module.", "_checkpoint_wrapped_module.", "_orig_mod."};

/** Anchors: tensors that a backbone has exactly once, so that their prefix is that of all its
 * names. */
constexpr std::array<std::string_view, 6> kAnchors = {
    "embeddings.cls_token",         "cls_token",     "stages.0.downsample_layers.0.weight",
    "downsample_layers.0.0.weight", "stem.0.weight", "layer1.0.conv1.weight"};

/** Other entries of training checkpoints, at the root of a file. */
constexpr std::array<std::string_view, 10> kTrainingState = {
    "optimizer", "optim",     "lr_schedulers", "scheduler", "lr_scheduler",
    "scaler",    "rng_state", "cuda_rng",      "loops",     "callbacks"};

/** Words in a prefix that identify a network: averages of another network are teachers. */
constexpr std::array<std::string_view, 8> kTeacherWords = {
    "teacher", "ema", "momentum", "target", "averaged", "avg", "swa", "k"};  // k: MoCo's encoder_k
constexpr std::array<std::string_view, 3> kStudentWords = {"student", "online", "q"};
constexpr std::array<std::string_view, 1> kOtherWords = {"gram"};  // DINOv3's frozen third

enum class Role { Unsaid, Teacher, Student, Other };

bool is_number(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

/** Flattens DINOv2's chunks of blocks: "blocks.2.13.norm1.weight" is block 13. */
std::string without_chunk(const std::string& name) {
  if (!name.starts_with("blocks.")) return name;
  const std::size_t first = name.find('.', 7);
  const std::size_t second = first == std::string::npos ? first : name.find('.', first + 1);
  if (second == std::string::npos || !is_number(std::string_view(name).substr(7, first - 7)) ||
      !is_number(std::string_view(name).substr(first + 1, second - first - 1)))
    return name;
  return "blocks." + name.substr(first + 1);
}

std::string without_inner_wrappers(std::string name) {
  for (const std::string_view wrapper : kInnerWrappers)
    for (std::size_t at = name.find(wrapper); at != std::string::npos; at = name.find(wrapper, at))
      name.erase(at, wrapper.size());
  return name;
}

/** Removes these prefixes repeatedly. */
std::string_view without(std::span<const std::string_view> wrappers, std::string_view name) {
  for (bool again = true; again;) {
    again = false;
    for (const std::string_view wrapper : wrappers) {
      if (!name.starts_with(wrapper)) continue;
      name.remove_prefix(wrapper.size());
      again = true;
    }
  }
  return name;
}

/** Whether the prefix is unusual, so that it should be mentioned. */
bool is_unusual(std::string_view prefix) {
  return !without(kWrappers, without(kNetworkWrappers, without(kWrappers, prefix))).empty();
}

/** The prefix of an anchor, including its dot; nothing if the name is not an anchor. */
std::optional<std::string_view> prefix_before_anchor(std::string_view name) {
  for (const std::string_view anchor : kAnchors) {
    if (!name.ends_with(anchor)) continue;
    name.remove_suffix(anchor.size());
    if (name.empty() || name.ends_with('.')) return name;
  }
  return std::nullopt;
}

bool is_training_state(std::string_view name) {
  return std::ranges::any_of(kTrainingState,
                             [&](std::string_view root) { return name.starts_with(root); });
}

Role role_of(std::string_view prefix) {
  const auto has = [&](std::span<const std::string_view> words) {
    for (std::size_t at = 0; at < prefix.size();) {
      const std::size_t end = std::min(prefix.find_first_of("._", at), prefix.size());
      const auto word = prefix.substr(at, end - at);
      if (std::ranges::find(words, word) != words.end()) return true;
      at = end + 1;
    }
    return false;
  };
  if (has(kOtherWords)) return Role::Other;
  if (has(kTeacherWords)) return Role::Teacher;
  return has(kStudentWords) ? Role::Student : Role::Unsaid;
}

/** The prefixes of all backbones in the file, sorted. */
std::vector<std::string> backbone_prefixes(const std::vector<format::TensorRecord>& tensors) {
  std::set<std::string> prefixes;
  for (const auto& tensor : tensors) {
    const std::string name = without_inner_wrappers(tensor.name);
    if (const auto prefix = prefix_before_anchor(name); prefix && !is_training_state(*prefix))
      prefixes.emplace(*prefix);
  }
  return {prefixes.begin(), prefixes.end()};
}

std::vector<std::string> with_role(const std::vector<std::string>& prefixes, Role role) {
  std::vector<std::string> found;
  for (const std::string& prefix : prefixes)
    if (role_of(prefix) == role) found.push_back(prefix);
  return found;
}

/** "a., b. and c.", for messages; a network at the root has no prefix. */
std::string listed(const std::vector<std::string>& prefixes) {
  std::vector<std::string> shown;
  for (const std::string& prefix : prefixes)
    shown.push_back(fmt::format("'{}'", printable(prefix)));
  return fmt::format("{}", fmt::join(shown, ", "));
}

std::string given_prefix(const std::vector<format::TensorRecord>& tensors,
                         const std::vector<std::string>& known, std::string prefix,
                         std::string_view origin) {
  if (!prefix.ends_with('.')) prefix += '.';
  const bool there = std::ranges::any_of(tensors, [&](const auto& tensor) {
    return without_inner_wrappers(tensor.name).starts_with(prefix);
  });
  if (!there)
    fail(ErrorKind::Format, "[weights] {}: no tensor begins with '{}'; {}", origin,
         printable(prefix),
         known.empty() ? std::string("nor is there a backbone under another prefix")
                       : "backbones begin with: " + listed(known));
  return prefix;
}

/** The prefix of the requested network if there are several. */
std::string chosen_prefix(const std::vector<std::string>& prefixes, const std::string& network,
                          std::string_view origin, std::vector<std::string>& notes) {
  const auto teachers = with_role(prefixes, Role::Teacher),
             students = with_role(prefixes, Role::Student),
             unsaid = with_role(prefixes, Role::Unsaid);
  const auto refuse = [&](const char* other) {
    fail(ErrorKind::Format, "[weights] {}: the checkpoint holds no {}; it holds a {}", origin,
         network, other);
  };
  const std::vector<std::string>* choice = &unsaid;
  if (network == "student") {
    // Beside a moving average, an unnamed network is the student.
    if (!students.empty()) choice = &students;
    if (choice->empty()) refuse("teacher");
  } else {
    if (!teachers.empty()) choice = &teachers;
    if (choice->empty() && network == "teacher") refuse("student");
    if (choice->empty() && !students.empty()) {
      choice = &students;
      notes.push_back("the checkpoint holds a student alone: it was taken");
    }
  }
  if (choice->empty()) choice = &prefixes;
  if (choice->size() > 1)
    fail(ErrorKind::Format,
         "[weights] {}: holds several networks, which begin with {}; --prefix says which is meant",
         origin, listed(*choice));
  return choice->front();
}

/** For a file without a backbone: the prefix of the requested network's heads. */
std::string heads_prefix(const std::vector<format::TensorRecord>& tensors,
                         const std::string& network, std::string_view origin) {
  constexpr std::array<std::string_view, 3> kRoots = {"", "model.", "state_dict."};
  const auto find = [&](std::string_view which) -> std::optional<std::string> {
    for (const std::string_view root : kRoots) {
      std::string prefix = fmt::format("{}{}.", root, which);
      if (std::ranges::any_of(tensors, [&](const auto& t) { return t.name.starts_with(prefix); }))
        return prefix;
    }
    return std::nullopt;
  };
  const auto teacher = find("teacher"), student = find("student");
  const bool want_student = network == "student";
  if (const auto& wanted = want_student ? student : teacher) return *wanted;
  const auto& other = want_student ? teacher : student;
  if (!other) return "";
  if (network.empty()) return *other;
  fail(ErrorKind::Format, "[weights] {}: the checkpoint holds no {}; it holds a {}", origin,
       network, want_student ? "teacher" : "student");
}

/** The length of the part of the network's prefix that this name shares, up to a dot. */
std::size_t shared_with(std::string_view prefix, std::string_view name) {
  std::size_t shared = 0;
  for (std::size_t i = 0; i < prefix.size() && i < name.size() && prefix[i] == name[i]; ++i)
    if (prefix[i] == '.') shared = i + 1;
  return shared;
}

/** Adds the heads that are stored beside the backbone: "teacher.head." beside "teacher.backbone.".
 * Other tensors there belong to another network or to training, and are ignored. */
void add_heads_beside(
    const std::vector<std::pair<std::string, const format::TensorRecord*>>& beside,
    Selection& selected) {
  std::map<std::string, NamedTensors> heads;
  for (const auto& [name, tensor] : beside) {
    const auto [head, within] = head_of(name);
    const bool usable = !head.empty() && head != "ignored" && name.find('.') != name.npos &&
                        !selected.heads.contains(std::string(head));
    if (usable && heads[std::string(head)].emplace(within, tensor).second) continue;
    selected.ignored.push_back(tensor->name);
    selected.outside.push_back(tensor->name);
  }
  selected.heads.merge(heads);
}

}  // namespace

std::vector<std::string> networks_in(const std::vector<format::TensorRecord>& tensors) {
  const auto prefixes = backbone_prefixes(tensors);
  const bool teacher = !with_role(prefixes, Role::Teacher).empty();
  const bool student = !with_role(prefixes, Role::Student).empty() ||
                       (teacher && !with_role(prefixes, Role::Unsaid).empty());
  std::vector<std::string> networks;
  if (teacher) networks.emplace_back("teacher");
  if (student) networks.emplace_back("student");
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

Selection select_network(const std::vector<format::TensorRecord>& tensors, const Choice& choice,
                         std::string_view origin) {
  Selection selected;
  const auto prefixes = backbone_prefixes(tensors);
  std::string prefix;
  if (!choice.prefix.empty()) {
    prefix = given_prefix(tensors, prefixes, choice.prefix, origin);
  } else if (!prefixes.empty()) {
    prefix = chosen_prefix(prefixes, choice.network, origin, selected.notes);
    if (is_unusual(prefix))
      selected.notes.push_back(
          fmt::format("its names begin with '{}', which was taken off", printable(prefix)));
  } else {
    prefix = heads_prefix(tensors, choice.network, origin);
  }
  std::vector<std::pair<std::string, const format::TensorRecord*>> beside;
  for (const auto& tensor : tensors) {
    const std::string clean = without_inner_wrappers(tensor.name);
    const std::size_t shared = shared_with(prefix, clean);
    const std::string name =
        without_chunk(std::string(without(kWrappers, std::string_view(clean).substr(shared))));
    const auto [head, within] = head_of(name);
    if (shared < prefix.size() || (prefix.empty() && is_training_state(clean))) {
      beside.emplace_back(name, &tensor);
    } else if (head == "ignored") {
      selected.ignored.push_back(name);
    } else {
      NamedTensors& named = head.empty() ? selected.backbone : selected.heads[std::string(head)];
      if (!named.emplace(within, &tensor).second)
        fail(ErrorKind::Format,
             "[weights] {}: two tensors are called {} once the wrappers' prefixes are taken off",
             origin, name);
    }
  }
  add_heads_beside(beside, selected);
  return selected;
}

}  // namespace dino::weights
