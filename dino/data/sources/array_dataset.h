// Data sets whose images are equal-sized records of one or more files, read where they lie;
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

/** Where the pixels of image i are: `stride` bytes times i behind `offset`. */
struct ArrayLayout {
  format::DType dtype = format::DType::U8;
  bool big_endian = false;
  std::int64_t count = 0;
  std::int64_t height = 0, width = 0;    ///< px
  int channels = 1;                      ///< 1, 3, 4 (the last is dropped) or those asked for
  bool planar = false;                   ///< [C, H, W] instead of [H, W, C]
  std::uint64_t offset = 0, stride = 0;  ///< bytes
};

struct ArrayFile {
  std::unique_ptr<RandomAccessFile> file;
  std::string name;  ///< in messages and of images: "name#index"
  ArrayLayout layout;
};

/** `labels`: one per image of all files, -1 of one without, or empty. `notes`: see
 * Dataset::notes(). Which values are black and white is said by the decoding or by the type, as of
 * files: see image::Raster. Throws Error{Data|Format} on sizes and types that are no images. */
std::unique_ptr<Dataset> make_array_dataset(std::vector<ArrayFile> files,
                                            std::vector<std::int64_t> labels,
                                            std::vector<std::string> class_names,
                                            const FileDecoding& decoding,
                                            std::vector<SourceNote> notes = {});

/** Throws Error{Data} naming `name` on sizes, types and channels that give no images. */
void check_array(const ArrayLayout& layout, std::string_view name, const FileDecoding& decoding);

/** The samples of one record, `bytes` in native order. Of four channels the last is alpha unless
 * four are asked for. */
image::Raster array_raster(const ArrayLayout& layout, std::span<const std::byte> bytes,
                           const FileDecoding& decoding);

/** What such a record is, before it is converted. */
image::ImageInfo array_info(const ArrayLayout& layout, const FileDecoding& decoding);

/** "0", "1", ... up to the largest label. Throws Error{Data} naming `source` on labels below 0 or
 * above a million. */
std::vector<std::string> numbered_classes(const std::vector<std::int64_t>& labels,
                                          std::string_view source);

}  // namespace dino::data
