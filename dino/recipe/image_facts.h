// What a recipe for a set of images depends on, found from a sample of them: how many there are,
// how large, of what kind, and whether their folders look like classes.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "dino/base/thread_pool.h"
#include "dino/data/sources/dataset.h"

namespace dino::recipe {

struct ImageFacts {
  std::string source;          ///< as data.train names it
  int shrunk_px = 0;           ///< above 0: `source` is a copy, its short sides shrunk to this
  std::int64_t images = 0;     ///< in the set
  std::int64_t looked_at = 0;  ///< decoded to find the rest
  double bad_share = 0;        ///< of those looked at, that cannot be read
  int width = 0, height = 0;   ///< px, medians
  /// Channels worth training on: 1 if every image is gray, however it is stored; 3; or the bands
  int channels = 3;
  bool full_range = false;    ///< samples finer than 8 bits, floats, or bands that are no colors
  bool transparent = false;   ///< some have alpha
  bool plain_ground = false;  ///< most show something on a ground of one color
  bool mostly_jpeg = false;
  std::vector<double> mean = {}, std = {};  ///< per channel, of samples as training gets them
                                            ///< before normalization
  std::int64_t classes = 0;         ///< folders (or labels) that look like classes; 0 = none do
  std::string class_examples = {};  ///< "boots, shirts, ..."
  std::int64_t labeled = 0;         ///< images that have one of them
  std::int64_t smallest_class = 0;  ///< images in it

  /** px of the shorter median side. */
  int short_side() const { return width < height ? width : height; }
};

/** Fewer images than this are refused: a network learns so few by heart. */
constexpr std::int64_t kFewestImages = 50;

/** Decodes a sample that is spread over the set: some hundred images, fewer if they are large, so
 * that it takes seconds. `dataset` must have been opened with channels = 0; `source` is its name in
 * recipe and messages. Throws Error{Data} saying what to do if there are too few images, if none
 * (or less than half) can be read, or if their numbers of bands differ. */
ImageFacts survey_images(const std::string& source, const data::Dataset& dataset, ThreadPool& pool);

}  // namespace dino::recipe
