// Images of a data set as batches for a network: workers decode and prepare the next stretch while
// the caller works on this one. Images of different sizes are put together by size within a
// stretch; what comes out does not depend on the workers.
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

/** Patches of an image that are computed unless more are asked for: 1,960 px squared at a patch of
 * 14 px. Attention takes time with their square: at this many some seconds a block. */
inline constexpr std::int64_t kMaxTokens = 20'000;

struct BatchOptions {
  int batch_size =
      256;  ///< images per batch, at most; fewer of large ones, so that memory suffices
  /// Decode images, in turns with the visitor: see plan_features() in base/cores.h; 0 = as many as
  /// LibTorch computes with (at::set_num_threads)
  int threads = 0;
  int patch_size = 1;           ///< px, of the network: see data::Remainder
  std::int64_t max_tokens = 0;  ///< an image of more is bad; 0 = any number
  data::Augment augment = {};
  std::stop_token stop = {};  ///< ends the walk, also amid a stretch
};

/** Equally sized images. */
struct ImageBatch {
  torch::Tensor images;            ///< [B, C, H, W] fp32, CPU
  std::vector<std::int64_t> rows;  ///< [B] which images of the stretch they are
};

struct SkippedImage {
  std::int64_t index = 0;  ///< in the data set
  std::string reason;
};

/** The images at consecutive places of the order asked for: one batch, or a few if sizes differ. */
struct ImageStretch {
  std::vector<std::int64_t> indices;        ///< [n] in the data set, of the readable ones, in order
  std::vector<data::Placement> placements;  ///< [n]
  std::vector<ImageBatch> batches;          ///< each image of the n in one of them
  std::vector<SkippedImage> bad;            ///< in order
  std::int64_t done = 0;                    ///< images of the order up to here, readable or not
};

/** Calls visit(stretch) for the images of `dataset` at `order`, in order, from the calling thread,
 * until it returns false or options.stop is asked to stop. An image that cannot be read or does not
 * fit (Error{Io|Format|Data}) is bad; other errors are thrown. Where sizes may differ
 * (data::keeps_shape) a stretch is several batches long, so that equal ones meet. Throws
 * Error{Config|Usage} on bad options, Error{Data} at once if every image would need too many
 * tokens. */
void for_each_stretch(const data::Dataset& dataset, std::span<const std::int64_t> order,
                      const data::Preprocess& preprocess, const BatchOptions& options,
                      const std::function<bool(ImageStretch&)>& visit);

}  // namespace dino::embed
