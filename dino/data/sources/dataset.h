// Index -> pixels and label. Where images come from (folder, list, archive, array) is hidden behind
// open_dataset().
#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dino/data/sources/source_note.h"
#include "dino/image/codecs/decode.h"
#include "dino/image/image.h"
#include "dino/image/planes.h"

namespace dino::data {

/** Consecutive images that are drawn together: see mixture(). */
struct DatasetPart {
  std::int64_t count = 0;
  double weight = 0;  ///< share of the images drawn, relative to the other parts
};

/** What a data set keeps of an image, before anything is decoded or converted. */
struct StoredImage {
  /// An encoded file (of a TIFF file of several pages: the page as a file of its own), or the
  /// samples of an array, in native byte order
  std::vector<std::byte> bytes;
  std::optional<image::ImageInfo> samples;             ///< of an array: what its samples are
  std::optional<image::Raster> raster = std::nullopt;  ///< of an array: the samples themselves
};

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
  /** What image `index` is made from. Throws as load(), but does not decode files. */
  virtual StoredImage stored(std::int64_t index) const;
  /** What to call image `index` in messages and index files: its path, or "file#index", also of the
   * pages of one file. */
  virtual std::string name(std::int64_t index) const = 0;
  /** Class in [0, class_names().size()), or -1 of an image without a label that can be used. */
  virtual std::int64_t label(std::int64_t index) const = 0;
  /** Empty if no image has a label. */
  virtual const std::vector<std::string>& class_names() const = 0;
  /** Of a mixture with weights: its parts, in the order of their indices. Empty: each image counts
   * the same. */
  virtual std::vector<DatasetPart> parts() const { return {}; }
  /** What the source holds that is not used: files of kinds that are not read, labels that are
   * none. */
  virtual std::vector<SourceNote> notes() const { return {}; }
};

/** How a source is read. */
struct SourceOptions {
  int channels = 3;                  ///< what images are decoded into: 1, 3, as many bands as the
                                     ///< files have, or 0: those each file has
  image::DecodeOptions decode = {};  ///< of encoded files; value range and background of arrays too
  std::string labels = "";           ///< an IDX or NPY file of labels (with an IDX or NPY source)
  std::vector<std::string> inputs;   ///< of tar and zip archives: only members that end in one of
                                     ///< these after the first dot ("jpg", "left.png"); empty = all
  std::filesystem::path cache;       ///< folder that keeps indices of folders and shards between
                                     ///< starts; empty = none
};

/** Opens a source:
 *  - a folder: images found recursively (by the extensions of image::image_extensions(), any case,
 * and by their first bytes where the extension says nothing; links are followed), sorted by path;
 * if every image lies in a sub-folder, the first level names the classes, else there are no labels.
 * `labels.txt` in it or beside it ("CLASS,NAME" lines, as ImageNet has) renames them. A folder of
 * ImageNet (`train/` and `labels.txt`) stands for its `train/`;
 *  - one image file;
 *  - a list: a path a line, then, if you like, a comma, semicolon, tab or blank and a label (.txt),
 * or delimited columns with quotes, mostly below a heading that names them (.csv, .tsv), or objects
 * (.jsonl); paths are relative to the list. A path may come twice;
 *  - tar shards, `shard-{000000..000123}.tar`: their images sorted by name; labels come from
 * members `KEY.cls` or `KEY.json` beside `KEY.jpg` (the longest KEY that the image's name begins
 * with), or else from folders as above. An archive within an archive is a folder;
 *  - a .zip archive, the same way;
 *  - IDX (`images-idx3-ubyte[.gz]`); labels come from `labels` or, if that is empty, from the
 * sibling whose name has `labels-idx1` for `images-idx3`, if there is one. Held in memory;
 *  - .npy and .npz: integers, bool or floats (float16 to 64) [N, H, W], [N, H, W, C] or [N, C, H,
 * W]. [H, W, 3] and [H, W, 4] (or as many bands as are asked for) with larger H and W are one
 * picture; [3, H, W] are three gray ones, unless it has an axis in front (array[np.newaxis]).
 * Labels are numbers or strings, [N] or [N, 1], or one-hot rows;
 *  - CIFAR's binary files: a .bin file, or a folder that holds data_batch_*.bin.
 *  An image whose label is missing or cannot be used has none: label() is -1, notes() says why.
 *  Each page of a .tif or .tiff file is an image, "path#page" with its file's label; a file of one
 * page keeps its plain name, one that is damaged at its start is one bad image. Opening reads the
 * directories of these files, and of others at most the first bytes (but all of a .tif in a .zip).
 *  Memory grows by the names of the files and at most 24 bytes an image (IDX.gz: by the images
 * too). Throws Error{Data|Io|Format}, naming the path, on an empty or missing source, on labels
 * whose number does not match, and on streams, which have no index (see stream.h). */
std::unique_ptr<Dataset> open_dataset(const std::string& source, const SourceOptions& options);
std::unique_ptr<Dataset> open_dataset(const std::string& source, int channels,
                                      const std::string& labels = "");

/** The images of `base` at `indices`, in that order (held-out slices, limits). Borrows base. */
std::unique_ptr<Dataset> subset(const Dataset& base, std::vector<std::int64_t> indices);

/** `base`, without the images that have no label. */
std::unique_ptr<Dataset> labeled_images(std::unique_ptr<Dataset> base);

/** Several data sets as one, one after the other; without labels. `weights`: each part's share of
 * the images drawn in training, or empty: every image counts the same. Throws Error{Usage} on
 * weights that do not fit. */
std::unique_ptr<Dataset> mixture(std::vector<std::unique_ptr<Dataset>> parts,
                                 std::vector<double> weights);

}  // namespace dino::data
