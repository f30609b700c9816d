// One array of images in NumPy's NPY format.
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
#include "dino/data/sources/npy_file.h"
#include "dino/data/sources/sources.h"
#include "dino/format/byte_order.h"
#include "dino/format/npy.h"
#include "dino/format/zip.h"

namespace dino::data {
namespace {

namespace fs = std::filesystem;
using format::DType;

bool is_channels(std::int64_t size) {
  return size == 1 || size == 3 || size == 4;
}

/** Whether [N, a, b, c] is [N, C, H, W], by the number of channels requested or else by the usual
 * numbers of color channels. */
bool is_planar(const std::vector<std::int64_t>& shape, int wanted) {
  const bool bands = wanted > 0 && !is_channels(wanted);
  if (bands) return shape[1] == wanted && shape[3] != wanted;
  return !is_channels(shape[3]) && is_channels(shape[1]);
}

/** Whether [a, b, c] is one image [H, W, C] rather than [N, H, W]: gray images of three or four
 * pixels width are not expected. */
bool is_picture(const std::vector<std::int64_t>& shape, int wanted) {
  if (shape.size() != 3) return false;
  const std::int64_t last = shape[2];
  const bool bands = wanted > 0 && !is_channels(wanted);
  return (bands ? last == wanted : last == 3 || last == 4) && shape[0] > last && shape[1] > last;
}

}  // namespace

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

std::unique_ptr<Dataset> open_npy(const fs::path& images, const FileDecoding& decoding,
                                  const fs::path& labels) {
  ArrayFile array = image_file(open_npy_file(images), images.native(), decoding.channels);
  fs::path label_file = labels;
  if (labels.empty()) {
    const fs::path beside = images.parent_path() / (images.stem().native() + "_labels.npy");
    std::error_code ignored;
    if (fs::exists(beside, ignored)) label_file = beside;
  }
  ArrayLabels classes;
  if (!label_file.empty()) {
    const NpyFile file = open_npy_file(label_file);
    if (!file.header.shape.empty() && file.header.shape[0] != array.layout.count)
      fail(ErrorKind::Data, "[open data set] '{}' holds {} labels for the {} images of '{}'",
           label_file.native(), file.header.shape[0], array.layout.count, images.native());
    classes = read_labels(file, label_file.native());
  }
  std::vector<ArrayFile> files;
  files.push_back(std::move(array));
  return make_array_dataset(std::move(files), std::move(classes.labels),
                            std::move(classes.class_names), decoding, std::move(classes.notes));
}

}  // namespace dino::data
