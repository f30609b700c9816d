// The interface of data sets: images and labels by index. open_dataset() opens every kind of source
// (folder, list, archive, array).
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

/** Consecutive images of a mixture that share a sampling weight; see mixture(). */
struct DatasetPart {
  std::int64_t count = 0;
  double weight = 0;  ///< share of the images drawn, relative to the other parts
};

/** An image as stored, before decoding and conversion. */
struct StoredImage {
  /// An encoded file (for a page of a TIFF file: the page as a file of its own), or the samples of
  /// an array record, in native byte order
  std::vector<std::byte> bytes;
  /// For arrays: type and shape of the samples
  std::optional<image::ImageInfo> samples;
  std::optional<image::Raster> raster = std::nullopt;  ///< for arrays: the samples
};

/** A finite, indexable collection of images. Immutable and thread-safe. */
class Dataset {
 public:
  virtual ~Dataset() = default;
  virtual std::int64_t size() const = 0;
  /** Decodes image `index` in [0, size()). Throws Error{Io|Format} naming the file if that image is
   * bad. */
  virtual image::Image load(std::int64_t index) const = 0;
  /** Decodes without loss of range; see image::decode_wide(). */
  virtual image::Planes load_wide(std::int64_t index) const {
    return image::to_planes(load(index));
  }
  /** The stored form of image `index`. Throws as load(), but does not decode files. */
  virtual StoredImage stored(std::int64_t index) const;
  /** The name of image `index` in messages and index files: its path, or "file#index" for array
   * records and pages. */
  virtual std::string name(std::int64_t index) const = 0;
  /** The class in [0, class_names().size()), or -1 if the image has no usable label. */
  virtual std::int64_t label(std::int64_t index) const = 0;
  /** Empty if no image has a label. */
  virtual const std::vector<std::string>& class_names() const = 0;
  /** The parts of a weighted mixture, in the order of their indices. Empty if all images have equal
   * weight. */
  virtual std::vector<DatasetPart> parts() const { return {}; }
  /** Unused contents of the source: files of unsupported kinds, unusable labels. */
  virtual std::vector<SourceNote> notes() const { return {}; }
};

/** How to read a source. */
struct SourceOptions {
  int channels = 3;                  ///< channels to decode to: 1, 3, the number of bands of the
                                     ///< files, or 0 for each file's own number
  image::DecodeOptions decode = {};  ///< for encoded files; range and background also for arrays
  std::string labels = "";           ///< an IDX or NPY file of labels (with an IDX or NPY source)
  /// For tar and zip archives: use only members that end in one of these after the first dot
  /// ("jpg", "left.png"); empty = all
  std::vector<std::string> inputs;
  /// Folder in which indices of folders and shards are cached between starts; empty = none
  std::filesystem::path cache;
};

/** Opens a source:
 *  - a folder: images found recursively (by the extensions of image::image_extensions(), ignoring
 * case, or by their first bytes if the extension is unknown; links are followed), sorted by path.
 * If every image lies in a sub-folder, the first level gives the classes, else there are no labels.
 * `labels.txt` in or beside the folder ("CLASS,NAME" lines, as in ImageNet) renames them. For a
 * folder of ImageNet (with `train/` and `labels.txt`) its `train/` is opened;
 *  - one image file;
 *  - a list: one path per line, optionally followed by a comma, semicolon, tab or blank and a label
 * (.txt); or delimited columns, which may be quoted and have titles (.csv, .tsv); or objects
 * (.jsonl). Paths are relative to the list and may repeat;
 *  - tar shards, `shard-{000000..000123}.tar`: their images sorted by name. Labels come from
 * members `KEY.cls` or `KEY.json` beside `KEY.jpg` (the longest KEY that the image's name begins
 * with), or else from folders as above. An inner archive counts as a folder;
 *  - a .zip archive, likewise;
 *  - IDX (`images-idx3-ubyte[.gz]`), held in memory. Labels come from `labels` or, if that is
 * empty, from a sibling whose name has `labels-idx1` for `images-idx3`;
 *  - .npy and .npz: integers, bool or floats (float16 to 64) [N, H, W], [N, H, W, C] or [N, C, H,
 * W]. [H, W, 3] and [H, W, 4] (or the number of channels requested) with larger H and W are one
 * image; [3, H, W] are three gray ones, unless a first axis is added (array[np.newaxis]). Labels
 * are numbers or strings, [N] or [N, 1], or one-hot rows;
 *  - CIFAR's binary files: a .bin file, or a folder that holds data_batch_*.bin.
 *  If the label of an image is missing or unusable, label() is -1 and notes() has the reason.
 *  Each page of a .tif or .tiff file is an image, "path#page" with its file's label; a file of one
 * page keeps its plain name, and one that is damaged at its start is one bad image. Opening reads
 * the directories of these files and at most the first bytes of others (all of a .tif in a .zip).
 *  Memory: the names of the files and at most 24 bytes per image (for IDX.gz also the images).
 * Throws Error{Data|Io|Format} naming the path on an empty or missing source, on a wrong number of
 * labels, and on streams, which have no index (see image_stream.h). */
std::unique_ptr<Dataset> open_dataset(const std::string& source, const SourceOptions& options);
std::unique_ptr<Dataset> open_dataset(const std::string& source, int channels,
                                      const std::string& labels = "");

/** The images of `base` at `indices`, in that order. Borrows `base`. */
std::unique_ptr<Dataset> subset(const Dataset& base, std::vector<std::int64_t> indices);

/** `count` indices spread over the data set or, if there are labels, over its classes in turn.
 * Deterministic. */
std::vector<std::int64_t> sample_indices(const Dataset& dataset, int count);

/** The images of `base` that have a label. */
std::unique_ptr<Dataset> labeled_images(std::unique_ptr<Dataset> base);

/** Concatenates data sets, without their labels. `weights` has each part's relative share of the
 * images drawn in training; if it is empty, all images have equal weight. Throws Error{Usage} on
 * invalid weights. */
std::unique_ptr<Dataset> mixture(std::vector<std::unique_ptr<Dataset>> parts,
                                 std::vector<double> weights);

}  // namespace dino::data
