// Index -> pixels and label. Where images come from (folder, list file, IDX) is hidden behind
// open_dataset().
#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dino/image/image.h"
#include "dino/image/planes.h"

namespace dino::data {

/** A finite, indexable collection of images. Thread-safe: load() may be called from many threads at
 * once. */
class Dataset {
 public:
  virtual ~Dataset() = default;
  virtual std::int64_t size() const = 0;
  /** Decodes image `index` in [0, size()). Throws Error{Io|Format} naming the file if that image is
   * bad. */
  virtual image::Image load(std::int64_t index) const = 0;
  /** The same without loss of range (see image::decode_wide()). */
  virtual image::Planes load_wide(std::int64_t index) const {
    return image::to_planes(load(index));
  }
  /** The encoded file image `index` is decoded from; nothing where pixels are stored as they are.
   * Throws Error{Io} as load(). */
  virtual std::optional<std::vector<std::byte>> encoded(std::int64_t index) const {
    (void)index;
    return std::nullopt;
  }
  /** What to call image `index` in messages and index files: its path, or "file#index". */
  virtual std::string name(std::int64_t index) const = 0;
  /** Class in [0, class_names().size()), or -1 without labels. */
  virtual std::int64_t label(std::int64_t index) const = 0;
  /** Empty without labels. */
  virtual const std::vector<std::string>& class_names() const = 0;
};

/** Opens a source for decoding into `channels` channels (1, 3, as many bands as the files have, or
 * 0: those each file has):
 *  - a folder: images found recursively (by the extensions of JPEG, PNG, WebP, TIFF, GIF, BMP and
 * PNM, any case), sorted by path; if every image
 * lies in a sub-folder, the first level names the classes, else there are no labels;
 *  - a list file (.txt or .csv): one path per line, relative to the list, optionally followed by a
 * comma or tab and a label;
 *  - `images-idx3-ubyte[.gz]`: an IDX file; labels come from `labels` or, if that is empty, from
 * the sibling whose name has `labels-idx1` for `images-idx3`, if there is one. Held in memory.
 *  `labels` (optional): an IDX label file (with an IDX source) . Throws Error{Data|Io|Format},
 * naming the path, on an empty or missing source and on labels whose number does not match. */
std::unique_ptr<Dataset> open_dataset(const std::string& source, int channels,
                                      const std::string& labels = "");

/** The images of `base` at `indices`, in that order (held-out slices, limits). Borrows base. */
std::unique_ptr<Dataset> subset(const Dataset& base, std::vector<std::int64_t> indices);

}  // namespace dino::data
