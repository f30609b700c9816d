// Prepares the images of a data set as batches for a network. Worker threads decode the next
// stretch of images while the caller processes the present one. Within a stretch, images are
// batched by size. The batches do not depend on the workers.
#pragma once
#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "dino/data/prepare/preprocess.h"
#include "dino/data/sources/dataset.h"

namespace dino::embed {

struct BatchOptions {
  /// Images per batch, at most; large images have smaller batches to bound memory
  int batch_size = 256;
  /// Threads that decode images, in turns with the visitor: see plan_features() in base/cores.h; 0
  /// = as many as LibTorch computes with (at::set_num_threads)
  int threads = 0;
  int patch_size = 1;           ///< px of the network's patch; see data::Remainder
  std::int64_t max_tokens = 0;  ///< images with more patches count as bad; 0 = no limit
  data::Augment augment = {};
  std::stop_token stop = {};  ///< when requested, ends the iteration, also within a stretch
};

/** Images of equal size. */
struct ImageBatch {
  torch::Tensor images;            ///< [B, C, H, W] fp32, CPU
  std::vector<std::int64_t> rows;  ///< [B] index of each image in the stretch
};

struct SkippedImage {
  std::int64_t index = 0;  ///< index in the data set
  std::string reason;
};

/** Consecutive images of the requested order, in one batch, or in several if sizes differ. */
struct ImageStretch {
  /// [n] data-set indices of the readable images, in order
  std::vector<std::int64_t> indices;
  std::vector<data::Placement> placements;  ///< [n]
  std::vector<ImageBatch> batches;          ///< together they have each of the n images once
  std::vector<SkippedImage> bad;            ///< in order
  /// Images of the order processed so far, including bad ones
  std::int64_t done = 0;
};

/** Calls visit(stretch) for the images of `dataset` at the indices `order`, in order, in the
 * calling thread, until it returns false or options.stop is requested. An image that cannot be
 * read or does not fit (Error{Io|Format|Data}) is bad; other errors are thrown. If sizes may
 * differ (data::keeps_shape), a stretch has several batches, so that images of equal size are
 * batched. Throws Error{Config|Usage} on bad options, Error{Data} at once if every image would
 * need too many tokens. */
void for_each_stretch(const data::Dataset& dataset, std::span<const std::int64_t> order,
                      const data::Preprocess& preprocess, const BatchOptions& options,
                      const std::function<bool(ImageStretch&)>& visit);

}  // namespace dino::embed
