// Recognizes the kind of source by its name.
#include "dino/data/sources/dataset.h"

#include <span>
#include <string_view>
#include <utility>

#include "dino/base/error.h"
#include "dino/base/text.h"
#include "dino/data/sources/brace_range.h"
#include "dino/data/sources/image_stream.h"
#include "dino/data/sources/sources.h"
#include "dino/image/codecs/sniff.h"

namespace dino::data {
namespace {

namespace fs = std::filesystem;

enum class Kind { Folder, List, Tar, Zip, Npy, Npz, Cifar, Idx, Image };

/** IDX begins with two zero bytes, gzip with 1f 8b. */
bool looks_like_idx(std::span<const std::byte> head) {
  return head.size() >= 2 && ((head[0] == std::byte{0} && head[1] == std::byte{0}) ||
                              (head[0] == std::byte{0x1f} && head[1] == std::byte{0x8b}));
}

Kind kind_of(const fs::path& path, bool folder) {
  if (folder) return cifar_batches(path).empty() ? Kind::Folder : Kind::Cifar;
  static constexpr std::pair<std::string_view, Kind> kExtensions[] = {
      {".txt", Kind::List},   {".csv", Kind::List},    {".tsv", Kind::List}, {".lst", Kind::List},
      {".jsonl", Kind::List}, {".ndjson", Kind::List}, {".tar", Kind::Tar},  {".zip", Kind::Zip},
      {".npy", Kind::Npy},    {".npz", Kind::Npz},     {".bin", Kind::Cifar}};
  const std::string extension = lower_extension(path);
  for (const auto& [name, kind] : kExtensions)
    if (extension == name) return kind;
  const std::vector<std::byte> head = first_bytes(path);
  if (image::kind_of(head) != image::ImageKind::Unknown) return Kind::Image;
  if (looks_like_idx(head)) return Kind::Idx;
  fail(ErrorKind::Data,
       "[open data set] '{}' ({}) is neither a folder of images, nor an image, nor a list (.txt, "
       ".csv, .tsv, .jsonl), nor an archive (.tar, .zip), nor an array (IDX, .npy, .npz, CIFAR's "
       ".bin)",
       printable(path), image::describe(head));
}

}  // namespace

StoredImage Dataset::stored(std::int64_t index) const {
  image::Image image = load(index);
  const auto bytes = std::as_bytes(std::span(image.pixels));
  const image::ImageInfo info{.kind = image::ImageKind::Unknown,
                              .width = image.width,
                              .height = image.height,
                              .channels = image.channels};
  return {{bytes.begin(), bytes.end()},
          info,
          image::Raster{.width = image.width,
                        .height = image.height,
                        .samples = image.channels,
                        .is_rgb = image.channels == 3,
                        .values = std::move(image.pixels)}};
}

std::unique_ptr<Dataset> open_dataset(const std::string& source, const SourceOptions& options) {
  if (source.empty())
    fail(ErrorKind::Data,
         "[open data set] no source is given; set data.train to a folder of images, a .txt or .csv "
         "list, tar shards or an IDX file (--set data.train=PATH)");
  if (options.channels < 0)
    fail(ErrorKind::Usage,
         "[open data set] cannot decode into {} channels; use 1, 3 or as many as the files have",
         options.channels);
  const FileDecoding decoding{options.channels, options.decode};
  if (is_stream(source))
    fail(
        ErrorKind::Data,
        "[open data set] '{}' is a stream, which can be trained on but not indexed; unpack it to a "
        ".tar first",
        printable(std::string_view(source)));
  std::error_code error;
  fs::file_status status = fs::status(source, error);
  std::vector<std::string> names = {source};
  if (!fs::exists(status) && source.find('{') != std::string::npos) {
    names = expand_braces(source);
    status = fs::status(names.front(), error);
  }
  const fs::path path(names.front());
  if (!fs::exists(status))
    fail(ErrorKind::Io, "[open data set] '{}': {}; check the path", names.front(),
         status.type() == fs::file_type::not_found ? "no such file or folder" : error.message());

  const Kind kind = kind_of(path, fs::is_directory(status));
  if (!options.labels.empty() && kind != Kind::Idx && kind != Kind::Npy)
    fail(
        ErrorKind::Data,
        "[open data set] labels '{}' belong to an IDX or NPY file, but '{}' names its own classes; "
        "leave the labels out",
        options.labels, source);
  if (names.size() > 1 && kind != Kind::Tar)
    fail(ErrorKind::Data, "[open data set] '{}': only tar shards can be named with braces", source);
  switch (kind) {
    case Kind::Folder:
      return open_folder(path, decoding, options.cache);
    case Kind::Image:
      return open_image(path, decoding);
    case Kind::List:
      return open_list(path, decoding);
    case Kind::Tar:
      return open_tar(names, options);
    case Kind::Zip:
      return open_zip(path, options);
    case Kind::Npy:
      return open_npy(path, decoding, options.labels);
    case Kind::Npz:
      return open_npz(path, decoding);
    case Kind::Cifar:
      return open_cifar(fs::is_directory(status) ? cifar_batches(path) : std::vector{path},
                        decoding);
    case Kind::Idx:
      return open_idx(path, decoding, options.labels);
  }
  fail(ErrorKind::Internal, "[open data set] no kind");
}

std::unique_ptr<Dataset> open_dataset(const std::string& source, int channels,
                                      const std::string& labels) {
  return open_dataset(
      source, SourceOptions{
                  .channels = channels, .decode = {}, .labels = labels, .inputs = {}, .cache = {}});
}

}  // namespace dino::data
