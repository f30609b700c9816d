// Data sets whose images are equal-sized records in one or more files and are read on demand;
// private to dino/data.
#pragma once
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "dino/base/byte_source.h"
#include "dino/data/sources/bad_image.h"
#include "dino/data/sources/dataset.h"
#include "dino/format/tensor_record.h"

namespace dino::data {

/** The layout of the records. Image i begins at offset + i * stride. */
struct ArrayLayout {
  format::DType dtype = format::DType::U8;
  bool big_endian = false;
  std::int64_t count = 0;
  std::int64_t height = 0, width = 0;    ///< px
  int channels = 1;                      ///< 1, 3, 4 (the last is dropped) or the number requested
  bool planar = false;                   ///< [C, H, W] instead of [H, W, C]
  std::uint64_t offset = 0, stride = 0;  ///< bytes
};

struct ArrayFile {
  std::unique_ptr<RandomAccessFile> file;
  std::string name;  ///< used in messages and as the images' names, "name#index"
  ArrayLayout layout;
};

/** Makes the data set. `labels` has one label per image of all files, -1 for none, or is empty;
 * `notes` are for Dataset::notes(). The values of black and white are those of `decoding` or of
 * the sample type; see image::Raster. Throws Error{Data|Format} on sizes and types that are not
 * images. */
std::unique_ptr<Dataset> make_array_dataset(std::vector<ArrayFile> files,
                                            std::vector<std::int64_t> labels,
                                            std::vector<std::string> class_names,
                                            const FileDecoding& decoding,
                                            std::vector<SourceNote> notes = {});

/** Throws Error{Data} naming `name` on sizes, types and channels that are not images. */
void check_array(const ArrayLayout& layout, std::string_view name, const FileDecoding& decoding);

/** The samples of one record; `bytes` are in native order. The fourth of four channels is alpha,
 * unless `decoding` requests four. */
image::Raster array_raster(const ArrayLayout& layout, std::span<const std::byte> bytes,
                           const FileDecoding& decoding);

/** The properties of a record before conversion. */
image::ImageInfo array_info(const ArrayLayout& layout, const FileDecoding& decoding);

/** The class names "0", "1", ... up to the largest label. Throws Error{Data} naming `source` on
 * labels below 0 or above a million. */
std::vector<std::string> numbered_classes(const std::vector<std::int64_t>& labels,
                                          std::string_view source);

}  // namespace dino::data
