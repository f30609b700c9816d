// Images and labels together in NumPy's NPZ format. The arrays used are decompressed to an unlinked
// temporary file.
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <map>

#include "dino/base/error.h"
#include "dino/base/mapped_file.h"
#include "dino/base/text.h"
#include "dino/base/unique_fd.h"
#include "dino/data/sources/array_dataset.h"
#include "dino/data/sources/npy_file.h"
#include "dino/data/sources/sources.h"
#include "dino/format/zip.h"

namespace dino::data {
namespace {

namespace fs = std::filesystem;
using format::DType;

constexpr std::string_view kImageNames[] = {"images", "x_train", "train_images", "x", "image",
                                            "data",   "X",       "arr_0"};
constexpr std::string_view kLabelNames[] = {"labels", "y_train", "train_labels", "y",
                                            "label",  "target",  "targets",      "arr_1"};

void write_all(int file, std::span<const std::byte> bytes, const fs::path& archive,
               const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(file, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0)
      fail(ErrorKind::Io,
           "[open data set] '{}' cannot be unpacked to {}: {}; set TMPDIR to a folder with room",
           printable(archive), path, std::strerror(errno));
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
}

/** Decompresses exactly as many bytes as the array's header declares. */
std::unique_ptr<RandomAccessFile> unpack_to_disk(const RandomAccessFile& archive,
                                                 const format::ZipEntry& entry,
                                                 const NpyFile& array) {
  const fs::path folder = fs::temp_directory_path();
  const auto claimed = array.data_bytes();
  std::error_code unknown;
  const fs::space_info space = fs::space(folder, unknown);
  if (!claimed || (!unknown && *claimed > space.available))
    fail(ErrorKind::Io,
         "[open data set] '{}' unpacks to {} bytes, {} has {}; set TMPDIR to a folder with room",
         printable(std::string_view(array.name)), claimed.value_or(~std::uint64_t{0}),
         printable(folder), space.available);
  std::string path = (folder / "dino-npz-XXXXXX").native();
  const UniqueFd file(::mkstemp(path.data()));
  if (!file)
    fail(ErrorKind::Io, "[open data set] {}: no temporary file; set TMPDIR to a folder with room",
         path);
  struct Remove {
    const std::string& path;
    ~Remove() { ::unlink(path.c_str()); }
  } const remove{path};
  std::uint64_t left = array.header.data_offset + *claimed;
  format::unpack_zip_member(archive, entry, [&](std::span<const std::byte> bytes) {
    if (bytes.size() > left)
      fail(ErrorKind::Format, "[read NPY] {}: unpacks to more than its header claims, [{}]",
           printable(std::string_view(array.name)), fmt::join(array.header.shape, ", "));
    left -= bytes.size();
    write_all(file.get(), bytes, archive.path(), path);
  });
  return std::make_unique<RandomAccessFile>(path);
}

/** The arrays of an archive, of which only the headers are in memory. */
class NpzFile {
 public:
  explicit NpzFile(const fs::path& path) : archive_(path), mapped_(map_file(path)) {
    for (const format::ZipEntry& entry : format::list_zip(mapped_.bytes, path.native())) {
      if (!entry.name.ends_with(".npy")) continue;
      const std::string name(entry.name.substr(0, entry.name.size() - 4));
      const std::string shown = fmt::format("{}#{}", path.native(), name);
      try {
        std::vector<std::byte> head(kNpyHeaderBytes);
        head.resize(format::read_zip_head(archive_, entry, head));
        arrays_.emplace(name, Member{entry, parse_npy_file(head, shown)});
      } catch (const Error& error) {
        if (error.kind() != ErrorKind::Format) throw;
        add_note(notes, "arrays cannot be read", shown, error.what());
      }
    }
  }

  /** "a [5, 4, 6], b [5]", and what cannot be read. */
  std::string contents() const {
    std::string text;
    for (const auto& [name, member] : arrays_)
      text += fmt::format("{}{} [{}]", text.empty() ? "" : ", ", printable(std::string_view(name)),
                          fmt::join(member.header.header.shape, ", "));
    for (const SourceNote& note : notes) text += "; " + describe(note);
    return text.empty() ? "there is none" : text;
  }

  /** The array called by one of `names` that `fits`, or else the only one that `fits` without a
   * name; empty if there is none. */
  template <typename Fits>
  std::string pick(std::span<const std::string_view> names, const Fits& fits) const {
    for (const std::string_view name : names)
      if (const auto found = arrays_.find(name);
          found != arrays_.end() && fits(found->second.header, true))
        return found->first;
    std::vector<std::string> fitting;
    for (const auto& [name, member] : arrays_)
      if (fits(member.header, false)) fitting.push_back(name);
    return fitting.size() == 1 ? fitting.front() : "";
  }

  NpyFile open(const std::string& name) const {
    const Member& member = arrays_.find(name)->second;
    return open_npy_file(unpack_to_disk(archive_, member.entry, member.header), member.header.name);
  }

  /** Arrays with one of `names` that do not have labels for this number of images. */
  void note_unfit(std::span<const std::string_view> names, std::int64_t images) {
    for (const std::string_view name : names)
      if (const auto found = arrays_.find(name); found != arrays_.end() && name != "arr_1")
        add_note(notes, "arrays are no labels of the images", found->second.header.name,
                 fmt::format("[{}] for {} images",
                             fmt::join(found->second.header.header.shape, ", "), images));
  }

  /** All arrays for which `fits` holds, except `used`. */
  template <typename Fits>
  void note_unused(const std::string& used, const Fits& fits) {
    for (const auto& [name, member] : arrays_)
      if (name != used && fits(member.header, false))
        add_note(notes, "arrays of images are not used; save each in a file of its own",
                 member.header.name);
  }

  std::vector<SourceNote> notes;

 private:
  struct Member {
    format::ZipEntry entry;  // its name lies in mapped_
    NpyFile header;
  };
  RandomAccessFile archive_;
  MappedFile mapped_;
  std::map<std::string, Member, std::less<>> arrays_;
};

bool is_integer(DType dtype) {
  return dtype == DType::U8 || dtype == DType::I8 || dtype == DType::U16 || dtype == DType::I16 ||
         dtype == DType::U32 || dtype == DType::I32 || dtype == DType::U64 || dtype == DType::I64;
}

}  // namespace

std::unique_ptr<Dataset> open_npz(const fs::path& archive, const FileDecoding& decoding) {
  NpzFile npz(archive);
  const auto holds_images = [](const NpyFile& array, bool) {
    return !array.strings && (array.header.shape.size() == 3 || array.header.shape.size() == 4);
  };
  const std::string images = npz.pick(kImageNames, holds_images);
  if (images.empty())
    fail(ErrorKind::Data,
         "[open data set] '{}' does not say which array holds the images: {}; call it images",
         printable(archive), npz.contents());
  npz.note_unused(images, holds_images);
  std::vector<ArrayFile> files;
  files.push_back(image_file(npz.open(images), fmt::format("{}#{}", archive.native(), images),
                             decoding.channels));
  const std::int64_t count = files.front().layout.count;
  // One-hot rows and floats look like anything else: only their name makes them labels.
  const std::string labels = npz.pick(kLabelNames, [&](const NpyFile& array, bool named) {
    const std::vector<std::int64_t>& shape = array.header.shape;
    const bool one = shape.size() == 1 || (shape.size() == 2 && shape[1] == 1);
    return !shape.empty() && shape[0] == count &&
           (array.strings ? one
                          : may_hold_labels(array.header.dtype, shape) &&
                                (named || (one && is_integer(array.header.dtype))));
  });
  ArrayLabels classes;
  if (labels.empty()) npz.note_unfit(kLabelNames, count);
  if (!labels.empty()) try {
      classes = read_labels(npz.open(labels), fmt::format("{}#{}", archive.native(), labels));
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::Data) throw;
      add_note(npz.notes, "arrays of labels cannot be used", labels, error.what());
    }
  npz.notes.insert(npz.notes.end(), classes.notes.begin(), classes.notes.end());
  return make_array_dataset(std::move(files), std::move(classes.labels),
                            std::move(classes.class_names), decoding, std::move(npz.notes));
}

}  // namespace dino::data
