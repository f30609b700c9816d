// IDX images (MNIST and similar), held in memory.
#include <algorithm>
#include <span>
#include <utility>

#include "dino/base/error.h"
#include "dino/base/text.h"
#include "dino/data/sources/array_dataset.h"
#include "dino/data/sources/label_text.h"
#include "dino/data/sources/sources.h"
#include "dino/format/idx.h"

namespace dino::data {
namespace {

namespace fs = std::filesystem;

class IdxDataset : public Dataset {
 public:
  /** images: [N, H, W]. */
  IdxDataset(format::Array images, ArrayLabels classes, std::string path,
             const FileDecoding& decoding)
      : images_(std::move(images)),
        labels_(classes.labels.begin(), classes.labels.end()),
        path_(std::move(path)),
        decoding_(decoding),
        layout_(layout_of(images_)),
        class_names_(std::move(classes.class_names)),
        notes_(std::move(classes.notes)) {
    check_array(layout_, path_, decoding_);
  }

  std::int64_t size() const override { return layout_.count; }

  image::Image load(std::int64_t index) const override {
    return image::to_image(raster(index), decoding_.channels, {});
  }
  image::Planes load_wide(std::int64_t index) const override {
    return image::to_planes(raster(index), decoding_.channels, {});
  }
  StoredImage stored(std::int64_t index) const override {
    const std::span<const std::byte> bytes = record(index);
    return {{bytes.begin(), bytes.end()}, array_info(layout_, decoding_), raster(index)};
  }

  std::string name(std::int64_t index) const override { return fmt::format("{}#{}", path_, index); }

  std::int64_t label(std::int64_t index) const override {
    return labels_.empty() ? -1 : labels_.at(static_cast<std::size_t>(index));
  }

  const std::vector<std::string>& class_names() const override { return class_names_; }
  std::vector<SourceNote> notes() const override { return notes_; }

 private:
  static ArrayLayout layout_of(const format::Array& images) {
    const std::int64_t count = images.shape[0], height = images.shape[1], width = images.shape[2];
    return {.dtype = images.dtype, .count = count, .height = height, .width = width};
  }
  image::Raster raster(std::int64_t index) const {
    return array_raster(layout_, record(index), decoding_);
  }
  std::span<const std::byte> record(std::int64_t index) const {
    DINO_ASSERT(index >= 0 && index < size());
    const auto bytes = images_.bytes.size() / static_cast<std::size_t>(layout_.count);
    return std::span(images_.bytes).subspan(static_cast<std::size_t>(index) * bytes, bytes);
  }

  format::Array images_;
  std::vector<std::int32_t> labels_;
  std::string path_;
  FileDecoding decoding_;
  ArrayLayout layout_;
  std::vector<std::string> class_names_;
  std::vector<SourceNote> notes_;
};

/** "t10k-labels-idx1-ubyte.gz" for "t10k-images-idx3-ubyte.gz", zipped or not; empty if there is
 * none. */
fs::path labels_beside(const fs::path& images) {
  std::string name = images.filename().native();
  const std::string from = "images-idx3", to = "labels-idx1", zip = ".gz";
  const std::size_t at = name.find(from);
  if (at == std::string::npos) return {};
  name.replace(at, from.size(), to);
  const std::string other =
      name.ends_with(zip) ? name.substr(0, name.size() - zip.size()) : name + zip;
  for (const std::string& candidate : {name, other})
    if (fs::exists(images.parent_path() / candidate)) return images.parent_path() / candidate;
  return {};
}

ArrayLabels read_labels(const fs::path& path, const fs::path& images, std::int64_t count) {
  const format::Array labels = format::read_idx(path);
  if (!may_hold_labels(labels.dtype, labels.shape))
    fail(
        ErrorKind::Data,
        "[open data set] '{}' holds no labels: expected a number for each image, [N] or [N, 1], or "
        "one-hot rows [N, K]; got [{}]",
        printable(path), fmt::join(labels.shape, ", "));
  if (labels.shape[0] != count)
    fail(ErrorKind::Data,
         "[open data set] '{}' holds {} labels for the {} images of '{}'; are they of one set?",
         printable(path), labels.shape[0], count, printable(images));
  return labels_of_array(labels.dtype, labels.shape, labels.bytes, path.native());
}

}  // namespace

std::unique_ptr<Dataset> open_idx(const fs::path& images, const FileDecoding& decoding,
                                  const fs::path& labels) {
  if (decoding.channels != 0 && decoding.channels != 1 && decoding.channels != 3)
    fail(ErrorKind::Usage, "[open data set] '{}' is gray: it gives 1 or 3 channels, not {}",
         printable(images), decoding.channels);
  format::Array array = format::read_idx(images);
  if (array.shape.size() != 3)
    fail(ErrorKind::Data,
         "[open data set] '{}' holds no images: expected three dimensions, got {} in {}",
         printable(images), format::dtype_name(array.dtype), array.shape.size());
  const fs::path label_file = labels.empty() ? labels_beside(images) : labels;
  ArrayLabels classes;
  if (!label_file.empty()) classes = read_labels(label_file, images, array.shape[0]);
  return std::make_unique<IdxDataset>(std::move(array), std::move(classes), images.native(),
                                      decoding);
}

}  // namespace dino::data
