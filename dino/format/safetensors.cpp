// safetensors, after the format description of its authors. Leaves out: sharded indexes
// (sharded_safetensors.cpp), floats of 8 bits without E4M3 or E5M2.
#include "dino/format/safetensors.h"

#include <algorithm>
#include <set>

#include "dino/base/error.h"
#include "dino/base/file.h"
#include "dino/base/json.h"
#include "dino/base/text.h"
#include "dino/format/byte_order.h"

namespace dino::format {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kLengthBytes = 8;
constexpr std::size_t kTensorAlignment = 64;  // of the data: a cache line, the widest vector
constexpr std::string_view kMetadataKey = "__metadata__";

/** Parses one file's header; `name_` appears in messages. */
class SafetensorsHeaderReader {
 public:
  SafetensorsHeaderReader(std::span<const std::byte> file, std::string_view name)
      : file_(file), name_(printable(name)) {
    if (file.size() < kLengthBytes) {
      refuse("{} bytes are too few for a safetensors file", file.size());
    }
    const std::uint64_t length = load_little_endian(file.first(kLengthBytes));
    if (length > kMaxSafetensorsHeaderBytes) {
      refuse("claims a header of {} bytes (at most {}); is it a safetensors file?", length,
             kMaxSafetensorsHeaderBytes);
    }
    if (length > file.size() - kLengthBytes) {
      refuse("claims a header of {} bytes but holds {} after the length; is it cut short?", length,
             file.size() - kLengthBytes);
    }
    const auto header = file.subspan(kLengthBytes, length);
    buffer_ = file.subspan(kLengthBytes + length);
    const std::string_view text(reinterpret_cast<const char*>(header.data()), header.size());
    if (!text.starts_with('{')) refuse("the header does not start with '{{'");
    header_ = parse_json(text, kOperation, name);
  }

  std::map<std::string, std::string> metadata() const {
    std::map<std::string, std::string> result;
    const auto found = header_.find(kMetadataKey);
    if (found == header_.end()) return result;
    if (!found->is_object()) refuse("{} is not an object", kMetadataKey);
    for (const auto& [key, value] : found->items()) {
      if (!value.is_string()) refuse("{} '{}' is not a string", kMetadataKey, printable(key));
      result[key] = value.get<std::string>();
    }
    return result;
  }

  std::vector<TensorRecord> tensors() const {
    std::vector<TensorRecord> result;
    for (const auto& [key, value] : header_.items()) {
      if (key != kMetadataKey) result.push_back(read_entry(key, value));
    }
    std::stable_sort(result.begin(), result.end(), [](const auto& a, const auto& b) {
      return std::pair(a.bytes.data(), a.bytes.size()) < std::pair(b.bytes.data(), b.bytes.size());
    });
    check_cover(result);
    return result;
  }

 private:
  static constexpr std::string_view kOperation = "read safetensors";

  template <typename... Args>
  [[noreturn]] void refuse(fmt::format_string<Args...> format, Args&&... args) const {
    fail(ErrorKind::Format, "[{}] {}: {}", kOperation, name_,
         fmt::format(format, std::forward<Args>(args)...));
  }

  TensorRecord read_entry(const std::string& key, const Json& entry) const {
    const std::string shown = printable(key);
    const auto member = [&](const char* field) -> const Json& {
      if (!entry.is_object() || !entry.contains(field)) refuse("'{}' has no {}", shown, field);
      return entry[field];
    };
    const auto numbers = [&](const char* field) {
      const Json& list = member(field);
      if (!list.is_array()) refuse("'{}': {} is not a list", shown, field);
      std::vector<std::int64_t> values;
      for (const Json& item : list) {
        const bool fits = item.is_number_unsigned() && item.get<std::uint64_t>() <= INT64_MAX;
        if (!fits) refuse("'{}': {} holds something other than a size", shown, field);
        values.push_back(item.get<std::int64_t>());
      }
      return values;
    };

    TensorRecord record{.name = key, .dtype = {}, .shape = numbers("shape"), .bytes = {}};
    const Json& type = member("dtype");
    const auto dtype =
        type.is_string() ? dtype_from_name(type.get_ref<const std::string&>()) : std::nullopt;
    if (!dtype) refuse("'{}': dtype {} is not supported", shown, dump_json(type).substr(0, 40));
    record.dtype = *dtype;

    const auto offsets = numbers("data_offsets");
    if (offsets.size() != 2 || offsets[0] > offsets[1] ||
        static_cast<std::uint64_t>(offsets[1]) > buffer_.size()) {
      refuse("'{}': data_offsets [{}] leave the file's {} data bytes; is it cut short?", shown,
             fmt::join(offsets, ", "), buffer_.size());
    }
    record.bytes = buffer_.subspan(static_cast<std::size_t>(offsets[0]),
                                   static_cast<std::size_t>(offsets[1] - offsets[0]));
    if (expected_bytes(record, shown) != record.bytes.size()) {
      refuse("'{}': {} [{}] does not fit in {} bytes", shown, dtype_name(record.dtype),
             fmt::join(record.shape, ", "), record.bytes.size());
    }
    return record;
  }

  std::size_t expected_bytes(const TensorRecord& record, const std::string& shown) const {
    try {
      return static_cast<std::size_t>(byte_count(record.dtype, record.shape));
    } catch (const Error& error) {
      refuse("'{}': {}", shown, error.what());
    }
  }

  /** Every byte of the buffer must belong to exactly one tensor. */
  void check_cover(std::span<const TensorRecord> in_order) const {
    const std::byte* position = buffer_.data();
    for (const TensorRecord& record : in_order) {
      if (record.bytes.data() != position) {
        refuse("'{}' {}", printable(record.name),
               record.bytes.data() < position ? "overlaps the tensor before it"
                                              : "leaves a hole before it");
      }
      position += record.bytes.size();
    }
    const auto left = buffer_.data() + buffer_.size() - position;
    if (left != 0) refuse("{} bytes after the last tensor", left);
  }

  std::span<const std::byte> file_, buffer_;
  std::string name_;
  Json header_;
};

void check_writable(const TensorRecord& record) {
  const std::string shown = printable(record.name);
  if (!is_utf8(record.name) || record.name == kMetadataKey) {
    fail(ErrorKind::Usage, "[write safetensors] '{}' cannot name a tensor", shown);
  }
  if (static_cast<std::size_t>(byte_count(record.dtype, record.shape)) != record.bytes.size()) {
    fail(ErrorKind::Usage, "[write safetensors] '{}': {} [{}] does not fit in {} bytes", shown,
         dtype_name(record.dtype), fmt::join(record.shape, ", "), record.bytes.size());
  }
}

/** Length and JSON, padded so that the data after it is aligned. */
std::string make_header(std::span<const TensorRecord* const> in_order,
                        const std::map<std::string, std::string>& metadata) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header[std::string(kMetadataKey)] = metadata;
  std::size_t offset = 0;
  for (const TensorRecord* record : in_order) {
    header[record->name] = {{"dtype", dtype_name(record->dtype)},
                            {"shape", record->shape},
                            {"data_offsets", {offset, offset + record->bytes.size()}}};
    offset += record->bytes.size();
  }
  std::string json = header.dump();
  const std::size_t used = kLengthBytes + json.size();
  json.append((kTensorAlignment - used % kTensorAlignment) % kTensorAlignment, ' ');
  std::string length(kLengthBytes, '\0');
  for (std::size_t i = 0; i < kLengthBytes; ++i)
    length[i] = static_cast<char>(json.size() >> (8 * i) & 0xFF);
  return length + json;
}

}  // namespace

void SafetensorsFile::read(std::span<const std::byte> bytes, std::string_view name,
                           const std::shared_ptr<const void>& owner) {
  const SafetensorsHeaderReader reader(bytes, name);
  metadata_ = reader.metadata();
  std::vector<TensorRecord> tensors = reader.tensors();
  for (TensorRecord& tensor : tensors) tensor.owner = owner;
  tensors_ = TensorTable(std::move(tensors));
}

SafetensorsFile::SafetensorsFile(std::span<const std::byte> bytes, std::string_view name) {
  read(bytes, name, nullptr);
}

SafetensorsFile::SafetensorsFile(const std::filesystem::path& path) : mapped_{map_file(path)} {
  read(mapped_[0].bytes, path.native(), mapped_[0].owner);
}

void write_safetensors(const std::filesystem::path& path, std::span<const TensorRecord> tensors,
                       const std::map<std::string, std::string>& metadata) {
  std::vector<const TensorRecord*> in_order;
  std::set<std::string_view> names;
  for (const TensorRecord& record : tensors) {
    check_writable(record);
    if (!names.insert(record.name).second) {
      fail(ErrorKind::Usage, "[write safetensors] two tensors are named '{}'",
           printable(record.name));
    }
    in_order.push_back(&record);
  }
  for (const auto& [key, value] : metadata) {
    if (!is_utf8(key) || !is_utf8(value)) {
      fail(ErrorKind::Usage, "[write safetensors] metadata '{}' is not UTF-8", printable(key));
    }
  }
  // Wide items first keeps each tensor aligned without padding, which the format forbids.
  std::stable_sort(in_order.begin(), in_order.end(), [](const auto* a, const auto* b) {
    return item_bytes(a->dtype) > item_bytes(b->dtype);
  });
  const std::string header = make_header(in_order, metadata);
  write_file_atomically(path, [&](const auto& sink) {
    sink(std::as_bytes(std::span(header)));
    for (const TensorRecord* record : in_order) sink(record->bytes);
  });
}

}  // namespace dino::format
