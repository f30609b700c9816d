// Reads torch.save's files, after torch/serialization.py. Leaves out: TorchScript archives,
// big-endian files, tensors without typed storages (quantized, sparse, 8-bit floats).
#include "dino/format/torch_file.h"

#include <algorithm>
#include <cstring>
#include <deque>
#include <map>

#include "dino/base/error.h"
#include "dino/base/text.h"
#include "dino/format/byte_order.h"
#include "dino/format/pickle.h"
#include "dino/format/torch_tree.h"
#include "dino/format/zip.h"

namespace dino::format {
namespace {

using Bytes = std::span<const std::byte>;

// The legacy form begins with this number as a pickle, then the protocol's.
constexpr std::string_view kLegacyMagic = "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";
constexpr std::int64_t kLegacyProtocol = 1001;
constexpr std::size_t kLegacyMagicReach = 32;  // of the first bytes, whatever the pickle protocol
constexpr std::size_t kFreeCopyBytes = 1 << 20;

std::string_view chars_of(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

using Copies = std::deque<std::vector<std::byte>>;  // of tensors that were not contiguous

class Reader {
 public:
  Reader(Bytes file, std::string_view name)
      : file_(file), name_(name), shown_name_(printable(name)) {}

  void read_zip() {
    std::map<std::string_view, Bytes> members;
    std::string_view root;
    constexpr std::string_view program = "/data.pkl";
    for (const ZipMember& member : read_stored_zip(file_, name_)) {
      members[member.name] = member.bytes;
      if (member.name.ends_with(program) &&
          member.name.find('/') == member.name.size() - program.size()) {
        root = member.name.substr(0, member.name.size() - program.size());
      }
    }
    const auto member = [&](const std::string& path) -> const Bytes* {
      const auto found = members.find(fmt::format("{}/{}", root, path));
      return found == members.end() ? nullptr : &found->second;
    };
    if (root.empty()) refuse("a zip file, but not one of torch.save: it holds no data.pkl");
    for (const auto& [path, bytes] : members) {
      if (!path.starts_with(root) || path.substr(root.size(), 1) != "/") {
        refuse("member '{}' is not in '{}/'", shown(path), shown(root));
      }
    }
    if (member("constants.pkl") != nullptr) {
      refuse("a TorchScript program; save its state_dict() with torch.save");
    }
    if (const Bytes* order = member("byteorder"); order && chars_of(*order) != "little") {
      refuse("byte order '{}' is not supported", shown(chars_of(*order)));
    }
    const Pickle pickle(*member("data.pkl"), name_);
    for (const PickleValue* storage : pickle.storages()) {
      const Bytes* bytes = member(fmt::format("data/{}", storage->text.substr(0, 100)));
      if (bytes == nullptr) refuse("storage '{}' is not in the file", shown(storage->text));
      check_size(*storage, bytes->size());
      storages_[storage->text] = *bytes;
    }
    flatten(pickle);
  }

  void read_legacy() {
    std::size_t position = 0;
    const auto next_pickle = [&] {
      Pickle pickle(file_.subspan(position), name_);
      position += pickle.size_bytes();
      return pickle;
    };
    if (next_pickle().root().text != kLegacyMagic ||
        next_pickle().root().integer != kLegacyProtocol) {
      refuse("not a file of torch.save: its first numbers differ");
    }
    next_pickle();  // of the machine that wrote it; the bytes are little-endian anyway
    const Pickle object = next_pickle();
    const Pickle keys = next_pickle();
    read_legacy_storages(object, keys.root(), position);
    flatten(object);
  }

  std::vector<TensorRecord> tensors;
  nlohmann::json scalars;
  Copies copies;

 private:
  template <typename... Args>
  [[noreturn]] void refuse(fmt::format_string<Args...> format, Args&&... args) const {
    fail(ErrorKind::Format, "[read torch file] {}: {}", shown_name_,
         fmt::format(format, std::forward<Args>(args)...));
  }

  static std::string shown(std::string_view text) { return printable(text.substr(0, 100)); }

  void check_size(const PickleValue& storage, std::size_t bytes) const {
    if (static_cast<std::uint64_t>(storage.integer) != bytes / item_bytes(storage.dtype)) {
      refuse("storage '{}' should hold {} x {} but has {} bytes", shown(storage.text),
             storage.integer, dtype_name(storage.dtype), bytes);
    }
  }

  /** After the pickles, for each key: the number of elements, then the elements. */
  void read_legacy_storages(const Pickle& object, const PickleValue& keys, std::size_t position) {
    std::map<std::string_view, const PickleValue*> known;
    for (const PickleValue* storage : object.storages()) {
      const auto& first = known.emplace(storage->text, storage).first->second;
      if (first->dtype != storage->dtype || first->integer != storage->integer) {
        refuse("storage '{}' has two types", shown(storage->text));
      }
    }
    if (keys.kind != PickleKind::List) refuse("the keys of the storages are not a list");
    for (const PickleValue* key : keys.items) {
      const auto found = known.find(key->text);
      if (found == known.end()) refuse("storage '{}' is of no known type", shown(key->text));
      const PickleValue& storage = *found->second;
      if (file_.size() - position < 8) refuse("ends before storage '{}'", shown(key->text));
      const std::uint64_t count = load_little_endian(file_.subspan(position, 8));
      position += 8;
      const std::size_t left = file_.size() - position, item = item_bytes(storage.dtype);
      if (count != static_cast<std::uint64_t>(storage.integer) || count > left / item) {
        refuse("storage '{}' should hold {} x {}, claims {} and {} bytes are left",
               shown(key->text), storage.integer, dtype_name(storage.dtype), count, left);
      }
      const bool is_new =
          storages_.emplace(key->text, file_.subspan(position, count * item)).second;
      if (!is_new) refuse("storage '{}' appears twice", shown(key->text));
      position += count * item;
    }
    if (storages_.size() != known.size()) refuse("lacks the bytes of a storage");
    if (position != file_.size()) {
      refuse("{} bytes after the last storage", file_.size() - position);
    }
  }

  void flatten(const Pickle& pickle) {
    TorchTree tree = flatten_torch(pickle.root(), name_);
    scalars = std::move(tree.scalars);
    for (const TorchTree::Leaf& leaf : tree.tensors) {
      const PickleTensor tensor = tensor_of(*leaf.tensor);
      TensorRecord record{leaf.name, leaf.tensor->dtype, tensor.shape, {}};
      record.bytes = bytes_of(leaf.name, tensor, record);
      tensors.push_back(std::move(record));
    }
  }

  /** The number of elements of a tensor's shape; throws if they exceed the storage. */
  std::int64_t checked_count(const std::string& name, const PickleTensor& tensor) const {
    const std::int64_t held = tensor.storage->integer;
    std::int64_t count = 0, last = tensor.offset;
    try {
      count = byte_count(tensor.storage->dtype, tensor.shape) /
              static_cast<std::int64_t>(item_bytes(tensor.storage->dtype));
    } catch (const Error& error) {
      refuse("'{}': {}", shown(name), error.what());
    }
    bool inside = count > 0 ? last < held : last <= held;
    for (std::size_t i = 0; i < tensor.shape.size() && count > 0; ++i) {
      std::int64_t span = 0;
      inside = inside && !__builtin_mul_overflow(tensor.shape[i] - 1, tensor.strides[i], &span) &&
               !__builtin_add_overflow(last, span, &last) && last < held;
    }
    if (!inside) {
      refuse("'{}': offset {}, shape [{}], strides [{}] leave its storage of {}", shown(name),
             tensor.offset, fmt::join(first(tensor.shape), ", "),
             fmt::join(first(tensor.strides), ", "), held);
    }
    return count;
  }

  /** The first sizes, at most five, for messages. */
  static std::span<const std::int64_t> first(const std::vector<std::int64_t>& sizes) {
    return std::span(sizes).first(std::min<std::size_t>(sizes.size(), 5));
  }

  static bool is_contiguous(const PickleTensor& tensor) {
    std::int64_t expected = 1;
    for (std::size_t i = tensor.shape.size(); i > 0; --i) {
      const std::int64_t size = tensor.shape[i - 1];
      if (size != 1 && tensor.strides[i - 1] != expected) return false;
      expected *= size;
    }
    return true;
  }

  Bytes bytes_of(const std::string& name, const PickleTensor& tensor, const TensorRecord& record) {
    const std::int64_t count = checked_count(name, tensor);
    if (count == 0) return {};
    const std::size_t item = item_bytes(record.dtype);
    const Bytes from =
        storages_.at(tensor.storage->text).subspan(static_cast<std::size_t>(tensor.offset) * item);
    const std::size_t bytes = static_cast<std::size_t>(count) * item;
    if (is_contiguous(tensor)) return from.first(bytes);
    copied_bytes_ += bytes;
    if (bytes > file_.size() + kFreeCopyBytes || copied_bytes_ > file_.size() + kFreeCopyBytes) {
      refuse("'{}': its strides repeat a storage to more than the file's size; save it contiguous",
             shown(name));
    }
    std::vector<std::byte>& copy = copies.emplace_back(bytes);
    gather(tensor, from, item, copy);
    return copy;
  }

  /** Copies element by element in row-major order. */
  static void gather(const PickleTensor& tensor, Bytes from, std::size_t item,
                     std::span<std::byte> to) {
    const std::size_t dimensions = tensor.shape.size();
    std::vector<std::int64_t> index(dimensions, 0);
    std::int64_t element = 0;
    for (std::size_t at = 0; at < to.size(); at += item) {
      std::memcpy(to.data() + at, from.data() + static_cast<std::size_t>(element) * item, item);
      for (std::size_t d = dimensions; d > 0; --d) {
        const std::int64_t stride = tensor.strides[d - 1];
        if (++index[d - 1] < tensor.shape[d - 1]) {
          element += stride;
          break;
        }
        index[d - 1] = 0;
        if (tensor.shape[d - 1] > 1) element -= stride * (tensor.shape[d - 1] - 1);
      }
    }
  }

  Bytes file_;
  std::string_view name_;
  std::string shown_name_;
  std::map<std::string_view, Bytes> storages_;
  std::size_t copied_bytes_ = 0;
};

}  // namespace

bool looks_like_torch_zip(Bytes bytes) {
  return chars_of(bytes).starts_with("PK\x03\x04");
}

bool looks_like_torch_legacy(Bytes bytes) {
  const std::string_view start = chars_of(bytes).substr(0, kLegacyMagicReach);
  return start.starts_with('\x80') && start.find(kLegacyMagic) != start.npos;
}

void TorchFile::read(Bytes bytes, std::string_view name,
                     const std::shared_ptr<const void>& mapping) {
  Reader reader(bytes, name);
  legacy_ = looks_like_torch_legacy(bytes);
  if (legacy_) {
    reader.read_legacy();
  } else if (looks_like_torch_zip(bytes)) {
    reader.read_zip();
  } else {
    fail(ErrorKind::Format, "[read torch file] {}: not a file of torch.save", printable(name));
  }
  scalars_ = std::move(reader.scalars);
  // One owner for all: of the file and of the copies.
  const auto owner = std::make_shared<const std::pair<std::shared_ptr<const void>, Copies>>(
      mapping, std::move(reader.copies));
  for (TensorRecord& tensor : reader.tensors) tensor.owner = owner;
  tensors_ = TensorTable(std::move(reader.tensors));
}

TorchFile::TorchFile(Bytes bytes, std::string_view name) {
  read(bytes, name, nullptr);
}

TorchFile::TorchFile(const std::filesystem::path& path) : mapped_{map_file(path)} {
  read(mapped_[0].bytes, path.native(), mapped_[0].owner);
}

}  // namespace dino::format
