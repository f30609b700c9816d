// NPY after NumPy's format document (numpy.lib.format). Leaves out: Fortran order, objects,
// records, memory mapping.
#include "dino/format/npy.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "dino/base/error.h"
#include "dino/base/file.h"
#include "dino/base/mapped_file.h"
#include "dino/base/text.h"
#include "dino/format/byte_order.h"
#include "dino/format/npy_dictionary.h"

namespace dino::format {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr std::size_t kMaxHeaderBytes = 64 << 10;
constexpr std::size_t kHeaderAlignment = 64;
constexpr std::size_t kGrowthDigits = 21;  // room NumPy leaves for a longer first size

/** NumPy's code for a type: kind and item size, without byte order. */
constexpr std::array<std::pair<std::string_view, DType>, 12> kNpyTypes = {{{"f8", DType::F64},
                                                                           {"f4", DType::F32},
                                                                           {"f2", DType::F16},
                                                                           {"i8", DType::I64},
                                                                           {"i4", DType::I32},
                                                                           {"i2", DType::I16},
                                                                           {"i1", DType::I8},
                                                                           {"u8", DType::U64},
                                                                           {"u4", DType::U32},
                                                                           {"u2", DType::U16},
                                                                           {"u1", DType::U8},
                                                                           {"b1", DType::Bool}}};

/** Appends a code point as UTF-8, or U+FFFD if it is invalid; if not `wide`, appends a byte. */
void append_utf8(std::string& text, std::uint64_t code, bool wide) {
  if (!wide || code < 0x80) {
    text += static_cast<char>(code);
    return;
  }
  if (code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) code = 0xFFFD;
  const int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
  constexpr std::uint64_t kFirst[] = {0, 0xC0, 0xE0, 0xF0};
  text += static_cast<char>(kFirst[more] | code >> (6 * more));
  for (int i = more - 1; i >= 0; --i) text += static_cast<char>(0x80 | (code >> (6 * i) & 0x3F));
}

class NpyHeaderReader {
 public:
  NpyHeaderReader(std::span<const std::byte> file, std::string_view name)
      : file_(file), name_(printable(name)) {}

  NpyHeader read() const {
    const NpyDictionary dictionary = read_dictionary();
    NpyHeader header;
    header.data_offset = data_offset();
    read_descr(dictionary.descr, header);
    header.shape = dictionary.shape;
    return header;
  }

  /** "<U7", "|S3"; nothing of other types. */
  std::optional<NpyStrings> read_strings() const {
    const NpyDictionary dictionary = read_dictionary();
    const std::string_view descr = dictionary.descr;
    if (descr.size() < 3 || (descr[1] != 'U' && descr[1] != 'S')) return std::nullopt;
    NpyStrings header{.shape = dictionary.shape,
                      .wide = descr[1] == 'U',
                      .big_endian = descr[0] == '>',
                      .data_offset = data_offset()};
    const char* const end = descr.data() + descr.size();
    const auto [parsed, error] = std::from_chars(descr.data() + 2, end, header.characters);
    if (error != std::errc() || parsed != end || header.characters > kMaxHeaderBytes)
      return std::nullopt;
    return header;
  }

  template <typename... Args>
  [[noreturn]] void refuse(fmt::format_string<Args...> format, Args&&... args) const {
    fail(ErrorKind::Format, "[read NPY] {}: {}", name_,
         fmt::format(format, std::forward<Args>(args)...));
  }

 private:
  NpyDictionary read_dictionary() const {
    const std::string_view text = dictionary_text();
    const auto dictionary = parse_npy_dictionary(text);
    if (!dictionary) refuse("the header is not NumPy's: {}", printable(text.substr(0, 80)));
    if (dictionary->fortran_order) {
      refuse("is in Fortran order; save it with numpy.ascontiguousarray");
    }
    return *dictionary;
  }

  std::size_t data_offset() const {
    const std::string_view text = dictionary_text();
    return static_cast<std::size_t>(reinterpret_cast<const std::byte*>(text.data()) -
                                    file_.data()) +
           text.size();
  }

  /** The dictionary between the length field and the data. */
  std::string_view dictionary_text() const {
    const std::string_view text(reinterpret_cast<const char*>(file_.data()), file_.size());
    if (!text.starts_with(kMagic)) refuse("not an NPY file: it does not start with \\x93NUMPY");
    if (text.size() < 8) refuse("ends within the header");
    const int major = static_cast<unsigned char>(text[6]);
    if (major < 1 || major > 3) refuse("NPY version {} is unknown; 1, 2 and 3 are read", major);
    const std::size_t length_bytes = major == 1 ? 2 : 4;
    if (text.size() < 8 + length_bytes) refuse("ends within the header");
    const std::uint64_t length = load_little_endian(file_.subspan(8, length_bytes));
    if (length > kMaxHeaderBytes) {
      refuse("claims a header of {} bytes (at most {})", length, kMaxHeaderBytes);
    }
    if (length > text.size() - 8 - length_bytes) {
      refuse("claims a header of {} bytes; is it cut short?", length);
    }
    return text.substr(8 + length_bytes, length);
  }

  void read_descr(std::string_view descr, NpyHeader& header) const {
    if (descr.size() >= 2 && descr.find_first_of("<>|=") == 0) {
      header.big_endian = descr[0] == '>';
      for (const auto& [code, dtype] : kNpyTypes) {
        if (descr.substr(1) == code) {
          header.dtype = dtype;
          return;
        }
      }
      if (descr[1] == 'O') refuse("holds Python objects, which are programs, not data");
    }
    refuse("element type '{}' is not supported; save booleans, integers or floats",
           printable(descr.substr(0, 40)));
  }

  std::span<const std::byte> file_;
  std::string name_;
};

}  // namespace

NpyHeader parse_npy_header(std::span<const std::byte> bytes, std::string_view name) {
  return NpyHeaderReader(bytes, name).read();
}

std::optional<NpyStrings> parse_npy_strings(std::span<const std::byte> bytes,
                                            std::string_view name) {
  return NpyHeaderReader(bytes, name).read_strings();
}

std::vector<std::string> decode_npy_strings(const NpyStrings& header,
                                            std::span<const std::byte> data) {
  std::vector<std::string> strings;
  const std::size_t item = header.item_bytes();
  for (std::size_t at = 0; item > 0 && at + item <= data.size(); at += item) {
    std::vector<std::byte> bytes(data.begin() + static_cast<std::ptrdiff_t>(at),
                                 data.begin() + static_cast<std::ptrdiff_t>(at + item));
    if (header.wide && header.big_endian) reverse_items(bytes, 4);
    std::string& text = strings.emplace_back();
    for (std::size_t i = 0; i < item; i += header.wide ? 4 : 1)
      append_utf8(text, load_little_endian(std::span(bytes).subspan(i, header.wide ? 4 : 1)),
                  header.wide);
    text.resize(text.find_last_not_of('\0') + 1);  // npos + 1 is 0
  }
  return strings;
}

Array parse_npy(std::span<const std::byte> bytes, std::string_view name) {
  const NpyHeaderReader reader(bytes, name);
  const NpyHeader header = reader.read();
  const auto data = bytes.subspan(header.data_offset);
  std::optional<std::int64_t> expected;
  try {
    expected = byte_count(header.dtype, header.shape);
  } catch (const Error&) {
    // Reported below like any other mismatched shape.
  }
  if (!expected || static_cast<std::size_t>(*expected) != data.size()) {
    const bool too_long = expected && static_cast<std::size_t>(*expected) < data.size();
    reader.refuse("{} [{}] does not fit in {} bytes of data{}", dtype_name(header.dtype),
                  fmt::join(header.shape, ", "), data.size(),
                  too_long ? "; is there a second array behind it?" : "; is it cut short?");
  }
  Array array{header.dtype, header.shape, {data.begin(), data.end()}};
  if (header.big_endian) reverse_items(array.bytes, item_bytes(array.dtype));
  return array;
}

Array read_npy(const std::filesystem::path& path) {
  return parse_npy(map_file(path).bytes, path.native());
}

std::string npy_header(DType dtype, std::span<const std::int64_t> shape) {
  const auto code = std::find_if(kNpyTypes.begin(), kNpyTypes.end(),
                                 [dtype](const auto& entry) { return entry.second == dtype; });
  if (code == kNpyTypes.end()) {
    fail(ErrorKind::Usage, "[write NPY] NPY has no element type for {}; convert to F32",
         dtype_name(dtype));
  }
  std::string dictionary =
      fmt::format("{{'descr': '{}{}', 'fortran_order': False, 'shape': ({}{}), }}",
                  item_bytes(dtype) == 1 ? '|' : '<', code->first, fmt::join(shape, ", "),
                  shape.size() == 1 ? "," : "");
  if (!shape.empty()) {
    const std::size_t digits = fmt::formatted_size("{}", shape[0]);
    dictionary.append(kGrowthDigits - std::min(digits, kGrowthDigits), ' ');
  }
  // NumPy pads at least the newline, and a whole 64 bytes more where nothing would be needed.
  const std::size_t used = kMagic.size() + 4 + dictionary.size() + 1;
  dictionary.append(kHeaderAlignment - used % kHeaderAlignment, ' ');
  dictionary += '\n';
  if (dictionary.size() > UINT16_MAX) {
    fail(ErrorKind::Usage, "[write NPY] {} dimensions are too many for version 1", shape.size());
  }
  std::string header(kMagic);
  header += {'\x01', '\x00', static_cast<char>(dictionary.size() & 0xFF),
             static_cast<char>(dictionary.size() >> 8)};
  return header + dictionary;
}

void write_npy(const std::filesystem::path& path, const TensorRecord& record) {
  const std::string header = npy_header(record.dtype, record.shape);
  if (static_cast<std::size_t>(byte_count(record.dtype, record.shape)) != record.bytes.size()) {
    fail(ErrorKind::Usage, "[write NPY] {}: {} [{}] does not fit in {} bytes", printable(path),
         dtype_name(record.dtype), fmt::join(record.shape, ", "), record.bytes.size());
  }
  write_file_atomically(path, [&](const auto& sink) {
    sink(std::as_bytes(std::span(header)));
    sink(record.bytes);
  });
}

}  // namespace dino::format
