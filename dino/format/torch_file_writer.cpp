// Writes torch.save's zip form: a pickle of protocol 2 that only builds a dictionary of tensors,
// then their bytes.
#include <map>
#include <set>
#include <tuple>

#include "dino/base/error.h"
#include "dino/base/file.h"
#include "dino/base/text.h"
#include "dino/format/pickle_globals.h"
#include "dino/format/torch_file.h"
#include "dino/format/zip.h"

namespace dino::format {
namespace {

constexpr std::string_view kFolder = "archive";

std::vector<std::int64_t> row_major_strides(std::span<const std::int64_t> shape) {
  std::vector<std::int64_t> strides(shape.size(), 1);
  for (std::size_t i = shape.size(); i-- > 1;) {
    strides[i - 1] = strides[i] * std::max<std::int64_t>(shape[i], 1);
  }
  return strides;
}

/** Emits the few instructions a state dict needs. */
class PickleWriter {
 public:
  PickleWriter& op(std::string_view instructions) {
    bytes_ += instructions;
    return *this;
  }

  PickleWriter& text(std::string_view value) {
    op("X").number(value.size(), 4);
    return op(value);
  }

  PickleWriter& integer(std::int64_t value) {  // not negative
    if (value < 1 << 8) return op("K").number(static_cast<std::uint64_t>(value), 1);
    if (value < 1 << 16) return op("M").number(static_cast<std::uint64_t>(value), 2);
    if (value <= INT32_MAX) return op("J").number(static_cast<std::uint64_t>(value), 4);
    return op("\x8a\x08").number(static_cast<std::uint64_t>(value), 8);
  }

  PickleWriter& integers(std::span<const std::int64_t> values) {
    op("(");
    for (const std::int64_t value : values) integer(value);
    return op("t");
  }

  PickleWriter& global(std::string_view module, std::string_view name) {
    return op("c").op(module).op("\n").op(name).op("\n");
  }

  PickleWriter& ordered_dict() { return global("collections", "OrderedDict").op(")R"); }

  /** `key`: of its storage. */
  PickleWriter& tensor(const TensorRecord& record, std::size_t key) {
    const auto elements = static_cast<std::int64_t>(record.bytes.size() / item_bytes(record.dtype));
    global("torch._utils", "_rebuild_tensor_v2").op("((").text("storage");
    global("torch", *storage_class_name(record.dtype));
    text(fmt::format("{}", key)).text("cpu").integer(elements).op("tQ");
    integer(0).integers(record.shape).integers(row_major_strides(record.shape));
    return op("\x89").ordered_dict().op("tR");  // needs no gradient, has no hooks
  }

  PickleWriter& state_dict(std::span<const TensorRecord> tensors,
                           std::span<const std::size_t> keys) {
    ordered_dict().op("(");
    for (std::size_t i = 0; i < tensors.size(); ++i)
      text(tensors[i].name).tensor(tensors[i], keys[i]);
    return op("u");
  }

  const std::string& bytes() const { return bytes_; }

 private:
  PickleWriter& number(std::uint64_t value, int count) {
    for (int i = 0; i < count; ++i) bytes_ += static_cast<char>(value >> (8 * i) & 0xFF);
    return *this;
  }

  std::string bytes_;
};

void check_storable(const TensorRecord& record) {
  const std::string shown = printable(record.name);
  if (!is_utf8(record.name)) {
    fail(ErrorKind::Usage, "[write torch file] '{}' cannot name a tensor: not UTF-8", shown);
  }
  if (static_cast<std::size_t>(byte_count(record.dtype, record.shape)) != record.bytes.size()) {
    fail(ErrorKind::Usage, "[write torch file] '{}': {} [{}] does not fit in {} bytes", shown,
         dtype_name(record.dtype), fmt::join(record.shape, ", "), record.bytes.size());
  }
  if (!storage_class_name(record.dtype)) {
    fail(ErrorKind::Usage,
         "[write torch file] '{}': torch.save has no storage for {}; convert it, or write "
         "safetensors",
         shown, dtype_name(record.dtype));
  }
}

/** Distinct storages, numbered as they come; tensors of the very same bytes share one. */
class Storages {
 public:
  std::size_t key(const TensorRecord& record) {
    const auto id = std::tuple(record.bytes.data(), record.bytes.size(), record.dtype);
    const auto found = record.bytes.empty() ? known_.end() : known_.find(id);
    if (found != known_.end()) return found->second;
    known_[id] = all_.size();
    all_.push_back(record.bytes);
    return all_.size() - 1;
  }
  std::vector<std::size_t> keys(std::span<const TensorRecord> tensors) {
    std::vector<std::size_t> numbers;
    for (const TensorRecord& record : tensors) numbers.push_back(key(record));
    return numbers;
  }
  const std::vector<std::span<const std::byte>>& all() const { return all_; }

 private:
  std::vector<std::span<const std::byte>> all_;
  std::map<std::tuple<const std::byte*, std::size_t, DType>, std::size_t> known_;
};

void check_names(std::span<const TensorRecord> tensors) {
  std::set<std::string_view> names;
  for (const TensorRecord& record : tensors) {
    check_storable(record);
    if (!names.insert(record.name).second)
      fail(ErrorKind::Usage, "[write torch file] two tensors are named '{}'",
           printable(record.name));
  }
}

void check_keys(std::span<const TorchEntry> entries) {
  std::set<std::string_view> keys;
  for (const TorchEntry& entry : entries) {
    if (!is_utf8(entry.key))
      fail(ErrorKind::Usage, "[write torch file] '{}' cannot be a key: not UTF-8",
           printable(entry.key));
    if (!keys.insert(entry.key).second)
      fail(ErrorKind::Usage, "[write torch file] two entries are called '{}'",
           printable(entry.key));
    check_names(entry.tensors);
  }
}

void write_archive(const std::filesystem::path& path, const std::string& pickle,
                   const Storages& storages) {
  write_file_atomically(path, [&](const auto& sink) {
    ZipWriter zip(sink);
    const auto add = [&](std::string_view name, std::span<const std::byte> bytes) {
      zip.add(fmt::format("{}/{}", kFolder, name), bytes);
    };
    add("data.pkl", std::as_bytes(std::span(pickle)));
    add("byteorder", std::as_bytes(std::span(std::string_view("little"))));
    for (std::size_t i = 0; i < storages.all().size(); ++i)
      add(fmt::format("data/{}", i), storages.all()[i]);
    add("version", std::as_bytes(std::span(std::string_view("3\n"))));
    zip.finish();
  });
}

}  // namespace

void write_torch_zip(const std::filesystem::path& path, std::span<const TensorRecord> tensors) {
  check_names(tensors);
  Storages storages;
  PickleWriter out;
  out.op("\x80\x02").state_dict(tensors, storages.keys(tensors)).op(".");
  write_archive(path, out.bytes(), storages);
}

void write_torch_zip(const std::filesystem::path& path, std::span<const TorchEntry> entries) {
  check_keys(entries);
  Storages storages;
  PickleWriter out;
  out.op("\x80\x02}");
  for (const TorchEntry& entry : entries)
    out.text(entry.key).state_dict(entry.tensors, storages.keys(entry.tensors)).op("s");
  write_archive(path, out.op(".").bytes(), storages);
}

}  // namespace dino::format
