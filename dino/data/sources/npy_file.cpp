#include "dino/data/sources/npy_file.h"

#include <algorithm>

#include "dino/base/error.h"
#include "dino/base/text.h"
#include "dino/format/byte_order.h"

namespace dino::data {

std::optional<std::uint64_t> NpyFile::data_bytes() const {
  try {
    if (!strings) return static_cast<std::uint64_t>(format::byte_count(header.dtype, header.shape));
    const std::int64_t bytes = format::byte_count(format::DType::U8, header.shape);
    const std::uint64_t item = strings->item_bytes();
    if (item > 0 && static_cast<std::uint64_t>(bytes) > ~std::uint64_t{0} / item)
      return std::nullopt;
    return static_cast<std::uint64_t>(bytes) * item;
  } catch (const Error&) {
    return std::nullopt;
  }
}

NpyFile parse_npy_file(std::span<const std::byte> head, const std::string& name) {
  NpyFile npy{.file = nullptr,
              .header = {},
              .strings = format::parse_npy_strings(head, name),
              .name = name};
  if (npy.strings)
    npy.header = {.shape = npy.strings->shape, .data_offset = npy.strings->data_offset};
  else
    npy.header = format::parse_npy_header(head, name);
  return npy;
}

NpyFile open_npy_file(std::unique_ptr<RandomAccessFile> file, const std::string& name) {
  std::vector<std::byte> head(kNpyHeaderBytes);
  head.resize(file->read_at(0, head));
  NpyFile npy = parse_npy_file(head, name);
  const std::uint64_t data =
      file->size() - std::min<std::uint64_t>(file->size(), npy.header.data_offset);
  if (data != npy.data_bytes())
    fail(ErrorKind::Format, "[read NPY] {}: {} [{}] does not fit in {} bytes; is it cut short?",
         printable(std::string_view(name)),
         npy.strings ? "strings" : format::dtype_name(npy.header.dtype),
         fmt::join(npy.header.shape, ", "), file->size());
  npy.file = std::move(file);
  return npy;
}

NpyFile open_npy_file(const std::filesystem::path& path) {
  return open_npy_file(std::make_unique<RandomAccessFile>(path), path.native());
}

ArrayLabels read_labels(const NpyFile& npy, const std::string& name) {
  const format::NpyHeader& header = npy.header;
  if (!may_hold_labels(npy.strings ? format::DType::U8 : header.dtype, header.shape) ||
      (npy.strings && header.shape.size() == 2 && header.shape[1] != 1))
    fail(ErrorKind::Data,
         "[open data set] '{}' holds no labels: expected a number or string for each image, [N] or "
         "[N, 1], or one-hot rows [N, K]; got [{}]",
         printable(std::string_view(name)), fmt::join(header.shape, ", "));
  std::vector<std::byte> bytes(static_cast<std::size_t>(npy.file->size() - header.data_offset));
  npy.file->read_at(header.data_offset, bytes);
  ArrayLabels found;
  if (npy.strings) {
    std::vector<std::string> names = format::decode_npy_strings(*npy.strings, bytes);
    for (std::string& label : names) label = label_of_field(label);
    found = labels_of_names(names);
  } else {
    if (header.big_endian) format::reverse_items(bytes, format::item_bytes(header.dtype));
    found = labels_of_array(header.dtype, header.shape, bytes, name);
  }
  if (found.labels.empty())
    fail(ErrorKind::Data, "[open data set] '{}' holds no labels that can be used{}",
         printable(std::string_view(name)),
         found.notes.empty() ? "" : ": " + describe(found.notes.front()));
  return found;
}

}  // namespace dino::data
