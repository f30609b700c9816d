// NumPy's files: one array of images (NPY), or images and labels together (NPZ).
#include <algorithm>
#include <array>
#include <bit>
#include <cstdio>
#include <cstring>
#include <map>
#include <optional>
#include <span>

#include "dino/base/error.h"
#include "dino/base/mapped_file.h"
#include "dino/base/text.h"
#include "dino/data/sources/array_dataset.h"
#include "dino/data/sources/sources.h"
#include "dino/format/byte_order.h"
#include "dino/format/npy.h"
#include "dino/format/zip.h"

namespace dino::data {
namespace {

namespace fs = std::filesystem;
using format::DType;

constexpr std::size_t kHeaderBytes = 4096;  // of an NPY file: more than any array of ours has

/** An NPY file, of which only the header is in memory. */
struct NpyFile {
  std::unique_ptr<RandomAccessFile> file;
  format::NpyHeader header;
};

NpyFile open_header(std::unique_ptr<RandomAccessFile> file, const std::string& name) {
  std::vector<std::byte> head(kHeaderBytes);
  head.resize(file->read_at(0, head));
  format::NpyHeader header = format::parse_npy_header(head, name);
  std::optional<std::int64_t> bytes;
  try {
    bytes = format::byte_count(header.dtype, header.shape);
  } catch (const Error&) {
    // More than there can be: reported below like any other shape that does not fit.
  }
  const std::uint64_t data =
      file->size() - std::min<std::uint64_t>(file->size(), header.data_offset);
  if (!bytes || data != static_cast<std::uint64_t>(*bytes))
    fail(ErrorKind::Format, "[read NPY] {}: {} [{}] does not fit in {} bytes; is it cut short?",
         printable(std::string_view(name)), format::dtype_name(header.dtype),
         fmt::join(header.shape, ", "), file->size());
  return {std::move(file), std::move(header)};
}

bool is_channels(std::int64_t size) {
  return size == 1 || size == 3 || size == 4;
}

/** Whether [N, a, b, c] holds planes, [N, C, H, W]: told by the bands that are wanted or, where the
 * last axis may well be colours, by the usual numbers of them. */
bool is_planar(const std::vector<std::int64_t>& shape, int wanted) {
  const bool bands = wanted > 0 && !is_channels(wanted);
  if (bands) return shape[1] == wanted && shape[3] != wanted;
  return !is_channels(shape[3]) && is_channels(shape[1]);
}

/** Whether [a, b, c] is one picture, [H, W, C], rather than [N, H, W]: nobody keeps grey images
 * that are three or four pixels wide. */
bool is_picture(const std::vector<std::int64_t>& shape, int wanted) {
  if (shape.size() != 3) return false;
  const std::int64_t last = shape[2];
  const bool bands = wanted > 0 && !is_channels(wanted);
  return (bands ? last == wanted : last == 3 || last == 4) && shape[0] > last && shape[1] > last;
}

ArrayFile image_file(NpyFile npy, const std::string& name, int wanted) {
  std::vector<std::int64_t> shape = npy.header.shape;
  if (is_picture(shape, wanted)) shape.insert(shape.begin(), 1);
  if (shape.size() != 3 && shape.size() != 4)
    fail(ErrorKind::Data,
         "[open data set] '{}' has {} dimensions; images are [N, H, W], [N, H, W, C] or [N, C, H, "
         "W]; give a single one an axis in front: array[np.newaxis]",
         name, shape.size());
  ArrayLayout layout{.dtype = npy.header.dtype,
                     .big_endian = npy.header.big_endian,
                     .count = shape[0],
                     .height = shape[1],
                     .width = shape[2],
                     .offset = npy.header.data_offset};
  if (shape.size() == 4) {
    layout.planar = is_planar(shape, wanted);
    const std::int64_t channels = layout.planar ? shape[1] : shape[3];
    layout.channels = static_cast<int>(std::min<std::int64_t>(channels, 1 << 20));
    if (layout.planar) {
      layout.height = shape[2];
      layout.width = shape[3];
    }
  }
  layout.stride = static_cast<std::uint64_t>(layout.height * layout.width * layout.channels) *
                  format::item_bytes(layout.dtype);
  return {std::move(npy.file), name, layout};
}

bool holds_labels(const format::NpyHeader& header) {
  return header.shape.size() == 1 &&
         (header.dtype == DType::U8 || header.dtype == DType::I8 || header.dtype == DType::U16 ||
          header.dtype == DType::I16 || header.dtype == DType::U32 || header.dtype == DType::I32 ||
          header.dtype == DType::U64 || header.dtype == DType::I64);
}

std::vector<std::int64_t> read_labels(const NpyFile& npy, const std::string& name) {
  const format::NpyHeader& header = npy.header;
  if (!holds_labels(header))
    fail(ErrorKind::Data,
         "[open data set] '{}' holds no labels: expected one dimension of integers", name);
  std::vector<std::byte> bytes(static_cast<std::size_t>(npy.file->size() - header.data_offset));
  npy.file->read_at(header.data_offset, bytes);
  const std::size_t item = format::item_bytes(header.dtype);
  if (header.big_endian) format::reverse_items(bytes, item);
  const bool is_signed = header.dtype == DType::I8 || header.dtype == DType::I16 ||
                         header.dtype == DType::I32 || header.dtype == DType::I64;
  std::vector<std::int64_t> labels;
  for (std::size_t at = 0; at + item <= bytes.size(); at += item) {
    std::uint64_t value = format::load_little_endian(std::span(bytes).subspan(at, item));
    const unsigned unused = 64 - 8 * static_cast<unsigned>(item);
    const auto shifted = static_cast<std::int64_t>(value << unused);
    labels.push_back(is_signed ? shifted >> unused : static_cast<std::int64_t>(value));
  }
  return labels;
}

// ---- NPZ
// -----------------------------------------------------------------------------------------

/** A file that has no name any more: an array of savez_compressed, unpacked once. */
std::unique_ptr<RandomAccessFile> unpack_to_disk(const RandomAccessFile& archive,
                                                 const format::ZipEntry& entry) {
  std::string path = (fs::temp_directory_path() / "dino-npz-XXXXXX").native();
  const UniqueFd file(::mkstemp(path.data()));
  if (!file)
    fail(ErrorKind::Io, "[open data set] {}: no temporary file; set TMPDIR to a folder with room",
         path);
  struct Remove {
    const std::string& path;
    ~Remove() { ::unlink(path.c_str()); }
  } const remove{path};
  format::unpack_zip_member(archive, entry, [&](std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const ssize_t count = ::write(file.get(), bytes.data(), bytes.size());
      if (count < 0)
        fail(ErrorKind::Io,
             "[open data set] '{}' cannot be unpacked to {}; set TMPDIR to a folder with room",
             printable(archive.path()), path);
      bytes = bytes.subspan(static_cast<std::size_t>(count));
    }
  });
  return std::make_unique<RandomAccessFile>(path);
}

/** The array called by one of `names`, or else the only one that `fits`. */
template <typename Fits>
std::string pick(const std::map<std::string, NpyFile>& arrays,
                 std::initializer_list<std::string_view> names, Fits fits) {
  for (const std::string_view name : names)
    if (const auto found = arrays.find(std::string(name));
        found != arrays.end() && fits(found->second.header))
      return found->first;
  std::string only;
  int count = 0;
  for (const auto& [name, array] : arrays)
    if (fits(array.header)) {
      only = name;
      ++count;
    }
  return count == 1 ? only : "";
}

}  // namespace

std::unique_ptr<Dataset> open_npy(const fs::path& images, const FileDecoding& decoding,
                                  const fs::path& labels) {
  ArrayFile array =
      image_file(open_header(std::make_unique<RandomAccessFile>(images), images.native()),
                 images.native(), decoding.channels);
  fs::path label_file = labels;
  if (labels.empty()) {
    const fs::path beside = images.parent_path() / (images.stem().native() + "_labels.npy");
    std::error_code ignored;
    if (fs::exists(beside, ignored)) label_file = beside;
  }
  std::vector<std::int64_t> classes;
  if (!label_file.empty())
    classes = read_labels(
        open_header(std::make_unique<RandomAccessFile>(label_file), label_file.native()),
        label_file.native());
  if (!label_file.empty() && static_cast<std::int64_t>(classes.size()) != array.layout.count)
    fail(ErrorKind::Data, "[open data set] '{}' holds {} labels for the {} images of '{}'",
         label_file.native(), classes.size(), array.layout.count, images.native());
  std::vector<std::string> names = numbered_classes(classes, label_file.native());
  std::vector<ArrayFile> files;
  files.push_back(std::move(array));
  return make_array_dataset(std::move(files), std::move(classes), std::move(names), decoding);
}

std::unique_ptr<Dataset> open_npz(const fs::path& archive, const FileDecoding& decoding) {
  const RandomAccessFile file(archive);
  const MappedFile mapped = map_file(archive);
  std::map<std::string, NpyFile> arrays;
  std::string found;
  for (const format::ZipEntry& entry : format::list_zip(mapped.bytes, archive.native())) {
    if (!entry.name.ends_with(".npy")) continue;
    const std::string name(entry.name.substr(0, entry.name.size() - 4));
    arrays.emplace(name, open_header(unpack_to_disk(file, entry),
                                     fmt::format("{}#{}", archive.native(), name)));
    found += fmt::format("{}{} [{}]", found.empty() ? "" : ", ", printable(std::string_view(name)),
                         fmt::join(arrays.at(name).header.shape, ", "));
  }
  const std::string images =
      pick(arrays, {"images", "x_train", "train_images", "x", "arr_0"},
           [](const auto& header) { return header.shape.size() == 3 || header.shape.size() == 4; });
  if (images.empty())
    fail(ErrorKind::Data,
         "[open data set] '{}' does not say which array holds the images: {}; call it images",
         printable(archive), found.empty() ? "there is none" : found);
  std::vector<ArrayFile> files;
  files.push_back(image_file(std::move(arrays.at(images)),
                             fmt::format("{}#{}", archive.native(), images), decoding.channels));
  const std::int64_t count = files.front().layout.count;
  const std::string labels =
      pick(arrays, {"labels", "y_train", "train_labels", "y", "arr_1"},
           [&](const auto& header) { return holds_labels(header) && header.shape[0] == count; });
  std::vector<std::int64_t> classes;
  if (!labels.empty()) classes = read_labels(arrays.at(labels), labels);
  std::vector<std::string> names = numbered_classes(classes, archive.native());
  return make_array_dataset(std::move(files), std::move(classes), std::move(names), decoding);
}

}  // namespace dino::data
