// Data sets whose images are equal-sized records of one or more files, read where they lie;
// private to dino/data.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "dino/base/byte_source.h"
#include "dino/data/dataset.h"
#include "dino/format/tensor_record.h"

namespace dino::data {

/** Where the pixels of image i are: `stride` bytes times i behind `offset`. */
struct ArrayLayout {
  format::DType dtype = format::DType::U8;  ///< U8, U16 or F32
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
 * Dataset::notes(). 16-bit samples keep their high byte. Floats are taken to lie in [0, 1] or, if
 * an image among the first few says otherwise, in [0, 255]. Throws Error{Data|Format} on sizes,
 * types and floats that are no images. */
std::unique_ptr<Dataset> make_array_dataset(std::vector<ArrayFile> files,
                                            std::vector<std::int64_t> labels,
                                            std::vector<std::string> class_names, int channels,
                                            std::vector<SourceNote> notes = {});

/** "0", "1", ... up to the largest label. Throws Error{Data} naming `source` on labels below 0 or
 * above a million. */
std::vector<std::string> numbered_classes(const std::vector<std::int64_t>& labels,
                                          std::string_view source);

}  // namespace dino::data
