// IDX after its description on the MNIST page: 0, 0, element type, number of dimensions, sizes,
// data.
#include "dino/format/idx.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

#include "dino/base/error.h"
#include "dino/base/file.h"
#include "dino/base/mapped_file.h"
#include "dino/base/text.h"
#include "dino/format/byte_order.h"
#include "dino/format/gzip.h"

namespace dino::format {
namespace {

constexpr std::array<std::pair<unsigned char, DType>, 6> kIdxTypes = {{{0x08, DType::U8},
                                                                       {0x09, DType::I8},
                                                                       {0x0B, DType::I16},
                                                                       {0x0C, DType::I32},
                                                                       {0x0D, DType::F32},
                                                                       {0x0E, DType::F64}}};

/** The file's content in order, unpacked if need be. */
class Input {
 public:
  Input(std::span<const std::byte> file, std::string_view name)
      : name_(printable(name)), plain_(file), limit_(file.size()) {
    if (is_gzip(file)) {
      gzip_.emplace(file, name);
      limit_ = file.size() * kMaxGzipRatio;
    }
  }

  /** An upper bound of the bytes that can follow. */
  std::size_t limit() const { return limit_; }

  std::size_t read(std::span<std::byte> out) {
    if (gzip_) return gzip_->read(out);
    const std::size_t count = std::min(out.size(), plain_.size());
    std::copy_n(plain_.begin(), count, out.begin());
    plain_ = plain_.subspan(count);
    return count;
  }

  template <std::size_t N>
  std::array<std::byte, N> read_header() {
    std::array<std::byte, N> bytes{};
    if (read(bytes) != N) refuse("ends within the header");
    return bytes;
  }

  template <typename... Args>
  [[noreturn]] void refuse(fmt::format_string<Args...> format, Args&&... args) const {
    fail(ErrorKind::Format, "[read IDX] {}: {}", name_,
         fmt::format(format, std::forward<Args>(args)...));
  }

 private:
  std::string name_;
  std::span<const std::byte> plain_;
  std::optional<GzipReader> gzip_;
  std::size_t limit_;
};

DType read_dtype(const Input& input, std::span<const std::byte, 4> magic) {
  if (magic[0] != std::byte{0} || magic[1] != std::byte{0}) {
    input.refuse("not an IDX file: it starts with {:02x} {:02x} instead of two zeros",
                 std::to_integer<unsigned>(magic[0]), std::to_integer<unsigned>(magic[1]));
  }
  for (const auto& [code, dtype] : kIdxTypes) {
    if (magic[2] == std::byte{code}) return dtype;
  }
  input.refuse("not an IDX file: no element type has the code {:#04x}",
               std::to_integer<unsigned>(magic[2]));
}

std::size_t data_bytes(const Input& input, const Array& array) {
  const std::string shape = fmt::format("{}", fmt::join(array.shape, " x "));
  std::int64_t count = 0;
  try {
    count = byte_count(array.dtype, array.shape);
  } catch (const Error&) {
    input.refuse("claims {} elements, more than a file can hold", shape);
  }
  if (static_cast<std::size_t>(count) > input.limit()) {
    input.refuse("claims {} elements, more than its size can hold; is it cut short?", shape);
  }
  return static_cast<std::size_t>(count);
}

/** Reads exactly `count` bytes, then expects the end. Memory grows with the bytes read, not with
 * the declared size. */
std::vector<std::byte> read_data(Input& input, std::size_t count) {
  std::vector<std::byte> data;
  while (data.size() < count) {
    const std::size_t used = data.size();
    const std::size_t room = std::min(count - used, std::max<std::size_t>(used, 4 << 20));
    data.resize(used + room);
    const std::size_t got = input.read(std::span(data).subspan(used));
    if (got < room) {
      input.refuse("claims {} bytes of data but holds {}; is it cut short?", count, used + got);
    }
  }
  std::byte extra{};
  if (input.read({&extra, 1}) != 0) {
    input.refuse("holds more than the {} bytes of data it claims", count);
  }
  return data;
}

}  // namespace

Array parse_idx(std::span<const std::byte> bytes, std::string_view name) {
  Input input(bytes, name);
  const auto magic = input.read_header<4>();
  Array array{.dtype = read_dtype(input, magic), .shape = {}, .bytes = {}};
  const auto dimensions = std::to_integer<unsigned>(magic[3]);
  if (dimensions == 0) input.refuse("has no dimensions");
  for (unsigned i = 0; i < dimensions; ++i) {
    array.shape.push_back(static_cast<std::int64_t>(load_big_endian(input.read_header<4>())));
  }
  array.bytes = read_data(input, data_bytes(input, array));
  reverse_items(array.bytes, item_bytes(array.dtype));
  return array;
}

Array read_idx(const std::filesystem::path& path) {
  return parse_idx(map_file(path).bytes, path.native());
}

void write_idx(const std::filesystem::path& path, const TensorRecord& record) {
  const auto code = std::find_if(kIdxTypes.begin(), kIdxTypes.end(),
                                 [&](const auto& entry) { return entry.second == record.dtype; });
  const bool sizes_fit = std::all_of(record.shape.begin(), record.shape.end(),
                                     [](std::int64_t size) { return size <= UINT32_MAX; });
  if (code == kIdxTypes.end() || record.shape.empty() || record.shape.size() > 255 || !sizes_fit ||
      static_cast<std::size_t>(byte_count(record.dtype, record.shape)) != record.bytes.size()) {
    fail(ErrorKind::Usage, "[write IDX] {}: cannot hold {} [{}] of {} bytes", printable(path),
         dtype_name(record.dtype), fmt::join(record.shape, ", "), record.bytes.size());
  }
  std::vector<std::byte> file = {std::byte{0}, std::byte{0}, std::byte{code->first},
                                 static_cast<std::byte>(record.shape.size())};
  for (const std::int64_t size : record.shape) {
    for (int shift = 24; shift >= 0; shift -= 8)
      file.push_back(static_cast<std::byte>(size >> shift));
  }
  const std::size_t header_bytes = file.size();
  file.insert(file.end(), record.bytes.begin(), record.bytes.end());
  reverse_items(std::span(file).subspan(header_bytes), item_bytes(record.dtype));
  if (path.extension() == ".gz") file = gzip(file);
  write_file_atomically(path, [&](const auto& sink) { sink(file); });
}

}  // namespace dino::format
