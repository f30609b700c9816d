// Walks what a pickle described. Leaves out: the contents of NumPy arrays, and sets' and tuples'
// being different from lists.
#include "dino/format/torch_tree.h"

#include <cstring>
#include <optional>
#include <unordered_set>

#include "dino/base/error.h"
#include "dino/base/half.h"
#include "dino/base/text.h"

namespace dino::format {
namespace {

using Json = nlohmann::json;
using Kind = PickleKind;

constexpr int kMaxDepth = 64;
constexpr std::size_t kMaxNodes = 1'000'000;
constexpr std::size_t kMaxTextBytes = 64 << 20;
constexpr std::size_t kMaxNameBytes = 4096;

/** The first `count` bytes of a value written as bytes, or as codecs.encode("...", "latin1"). */
std::optional<std::string> short_bytes(const PickleValue& value, std::size_t count) {
  if (value.kind == Kind::Bytes) {
    return value.text.size() == count ? std::optional(std::string(value.text)) : std::nullopt;
  }
  const bool encoded = value.kind == Kind::Record && value.global->full == "codecs.encode" &&
                       value.items.size() == 2 && value.items[0]->kind == Kind::Text &&
                       value.items[1]->kind == Kind::Text && value.items[1]->text == "latin1";
  if (!encoded) return std::nullopt;
  const std::string_view utf8 = value.items[0]->text;
  std::string bytes;
  for (std::size_t i = 0; i < utf8.size() && bytes.size() <= count; ++i) {
    const auto lead = static_cast<unsigned char>(utf8[i]);
    if (lead < 0x80) {
      bytes += utf8[i];
    } else if ((lead == 0xC2 || lead == 0xC3) && i + 1 < utf8.size()) {
      const auto follower = static_cast<unsigned char>(utf8[++i]);
      bytes += static_cast<char>((lead & 3) << 6 | (follower & 0x3F));
    } else {
      return std::nullopt;
    }
  }
  return bytes.size() == count ? std::optional(bytes) : std::nullopt;
}

template <typename T>
Json number_in(const std::string& bytes) {
  T value;
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

/** numpy.float64(0.5) and its like, as little-endian machines write them. */
std::optional<Json> numpy_scalar(const PickleValue& record) {
  if (record.global->full != "numpy.scalar" || record.items.size() != 2) return std::nullopt;
  const PickleValue& dtype = *record.items[0];
  const bool named = dtype.kind == Kind::Record && dtype.global->full == "numpy.dtype" &&
                     !dtype.items.empty() && dtype.items[0]->kind == Kind::Text;
  if (!named) return std::nullopt;
  if (const PickleValue* state = dtype.state; state != nullptr) {
    const bool big_endian = state->items.size() > 1 && state->items[1]->text == ">";
    if (big_endian) return std::nullopt;
  }
  const std::string_view code = dtype.items[0]->text;
  if (code.size() != 2 || code[1] < '1' || code[1] > '8') return std::nullopt;
  const auto bytes = short_bytes(*record.items[1], static_cast<std::size_t>(code[1] - '0'));
  if (!bytes) return std::nullopt;
  if (code == "f8") return number_in<double>(*bytes);
  if (code == "f4") return number_in<float>(*bytes);
  if (code == "f2") {
    std::uint16_t half = 0;
    std::memcpy(&half, bytes->data(), sizeof half);
    return Json(static_cast<double>(half_to_float(half)));
  }
  if (code == "i8") return number_in<std::int64_t>(*bytes);
  if (code == "i4") return number_in<std::int32_t>(*bytes);
  if (code == "i2") return number_in<std::int16_t>(*bytes);
  if (code == "i1") return number_in<std::int8_t>(*bytes);
  if (code == "u8") return number_in<std::uint64_t>(*bytes);
  if (code == "u4") return number_in<std::uint32_t>(*bytes);
  if (code == "u2") return number_in<std::uint16_t>(*bytes);
  if (code == "u1") return number_in<std::uint8_t>(*bytes);
  if (code == "b1") return Json((*bytes)[0] != 0);
  return std::nullopt;
}

class Walker {
 public:
  explicit Walker(std::string_view file) : file_(printable(file)) {}

  TorchTree walk(const PickleValue& root) {
    auto scalars = visit(root, 0);
    return {std::move(tensors_), scalars ? std::move(*scalars) : Json::object()};
  }

 private:
  template <typename... Args>
  [[noreturn]] void refuse(fmt::format_string<Args...> format, Args&&... args) const {
    fail(ErrorKind::Format, "[read torch file] {}: '{}': {}", file_,
         printable(std::string_view(path_).substr(0, 100)),
         fmt::format(format, std::forward<Args>(args)...));
  }

  void count_text(std::size_t bytes) {
    if ((text_bytes_ += bytes) > kMaxTextBytes) refuse("the file repeats its texts too often");
  }

  /** The values that are not tensors; nothing if there are only tensors. */
  std::optional<Json> visit(const PickleValue& value, int depth) {
    if (depth > kMaxDepth) refuse("nested deeper than {} levels", kMaxDepth);
    if (++nodes_ > kMaxNodes) refuse("the file repeats its values too often");
    switch (value.kind) {
      case Kind::Tensor:
        add_tensor(value);
        return std::nullopt;
      case Kind::Dict:
        return visit_dict(value, depth);
      case Kind::List:
      case Kind::Tuple:
        return visit_list(value, depth);
      case Kind::Record:
        return visit_record(value, depth);
      case Kind::None:
        return Json();
      case Kind::Bool:
        return Json(value.integer != 0);
      case Kind::Int:
        return Json(value.integer);
      case Kind::Float:
        return Json(value.number);
      case Kind::Text:
        count_text(value.text.size());
        return Json(std::string(value.text));
      case Kind::BigInt:
        return Json(fmt::format("<integer of {} bytes>", value.text.size()));
      case Kind::Bytes:
        return Json(fmt::format("<{} bytes>", value.text.size()));
      case Kind::Global:
        return Json(fmt::format("<{}>", value.global->full));
      case Kind::Storage:
        return Json(fmt::format("<storage of {}>", value.integer));
    }
    return std::nullopt;
  }

  void add_tensor(const PickleValue& value) {
    if (!is_utf8(path_)) refuse("the name is not UTF-8");
    count_text(path_.size());
    if (!names_.insert(path_).second) refuse("two tensors have this name");
    tensors_.push_back({path_, &value});
  }

  /** `index` is the position of the key, used for keys that are not text. */
  std::string key_text(const PickleValue& key, std::size_t index) const {
    switch (key.kind) {
      case Kind::Text:
        return std::string(key.text.substr(0, kMaxNameBytes + 1));
      case Kind::Int:
        return fmt::format("{}", key.integer);
      case Kind::Float:
        return fmt::format("{}", key.number);
      case Kind::Bool:
        return key.integer != 0 ? "True" : "False";
      case Kind::None:
        return "None";
      default:
        return fmt::format("<key {}>", index);
    }
  }

  std::optional<Json> visit_child(const PickleValue& child, std::string_view key, int depth) {
    const std::size_t length = path_.size();
    if (!path_.empty()) path_ += '.';
    path_ += key;
    if (path_.size() > kMaxNameBytes) refuse("the name is longer than {} bytes", kMaxNameBytes);
    auto result = visit(child, depth + 1);
    path_.resize(length);
    return result;
  }

  std::optional<Json> visit_dict(const PickleValue& dict, int depth) {
    Json object = Json::object();
    for (std::size_t i = 0; i + 1 < dict.items.size(); i += 2) {
      const std::string key = key_text(*dict.items[i], i / 2);
      auto child = visit_child(*dict.items[i + 1], key, depth);
      if (!child) continue;
      count_text(key.size());
      if (!object.emplace(key, std::move(*child)).second) {
        refuse("has the key '{}' twice", printable(key.substr(0, 80)));
      }
    }
    if (object.empty() && !dict.items.empty()) return std::nullopt;
    return object;
  }

  std::optional<Json> visit_list(const PickleValue& list, int depth) {
    Json array = Json::array();
    bool any = list.items.empty();
    for (std::size_t i = 0; i < list.items.size(); ++i) {
      auto child = visit_child(*list.items[i], fmt::format("{}", i), depth);
      any = any || child;
      array.push_back(child ? std::move(*child) : Json());
    }
    return any ? std::optional(std::move(array)) : std::nullopt;
  }

  /** The attribute of that name, or nullptr. */
  static const PickleValue* attribute(const PickleValue& state, std::string_view name) {
    if (state.kind != Kind::Dict) return nullptr;
    for (std::size_t i = 0; i + 1 < state.items.size(); i += 2) {
      const PickleValue& key = *state.items[i];
      if (key.kind == Kind::Text && key.text == name) return state.items[i + 1];
    }
    return nullptr;
  }

  /** A whole torch.nn.Module, pickled with its class: its tensors are among its attributes, under
   * the names that its state_dict() would give them. */
  std::optional<Json> visit_module(const PickleValue& state, int depth) {
    for (const char* kind : {"_parameters", "_buffers", "_modules"}) {
      const PickleValue* members = attribute(state, kind);
      if (members == nullptr) continue;
      if (members->kind == Kind::Record) members = members->entries;
      if (members == nullptr || members->kind != Kind::Dict) continue;
      for (std::size_t i = 0; i + 1 < members->items.size(); i += 2)
        if (members->items[i + 1]->kind != Kind::None)
          visit_child(*members->items[i + 1], key_text(*members->items[i], i / 2), depth);
    }
    return std::nullopt;
  }

  std::optional<Json> visit_record(const PickleValue& record, int depth) {
    if (auto number = numpy_scalar(record)) return number;
    const bool is_namespace = record.global->full == "argparse.Namespace";
    if (is_namespace && record.state != nullptr && record.state->kind == Kind::Dict) {
      return visit(*record.state, depth + 1);
    }
    if (record.state != nullptr && attribute(*record.state, "_modules") != nullptr)
      return visit_module(*record.state, depth);
    if (record.entries != nullptr) return visit_dict(*record.entries, depth);
    return Json(fmt::format("<{}>", record.global->full));
  }

  std::string file_, path_;
  std::vector<TorchTree::Leaf> tensors_;
  std::unordered_set<std::string> names_;
  std::size_t nodes_ = 0, text_bytes_ = 0;
};

}  // namespace

TorchTree flatten_torch(const PickleValue& root, std::string_view file) {
  return Walker(file).walk(root);
}

}  // namespace dino::format
