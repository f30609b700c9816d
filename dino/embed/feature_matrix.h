// Images in, feature rows out: what k-NN, search and export read. Decoding runs in worker threads
// while the network works on the batch before.
#pragma once
#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "dino/data/prepare/preprocess.h"
#include "dino/data/sources/dataset.h"
#include "dino/model/backbone.h"
#include "dino/model/backbone_file.h"

namespace dino::embed {

/** Which row stands for an image. */
enum class FeatureKind {
  Cls,              ///< [D] the final-normed CLS token: DINO's default
  ClsAndMeanPatch,  ///< [2D] CLS followed by the mean patch token, as DINOv2 classifies
};

struct ExtractOptions {
  int batch_size = 256;  ///< images per forward pass; no influence on the result beyond rounding
  int threads = 0;       ///< see BatchOptions
  int patch_size = 1;    ///< px, of the network: see data::Remainder
  std::int64_t max_tokens = 0;  ///< an image of more patches is bad; 0 = any number
  data::Augment augment = {};   ///< none by default
  std::function<void(std::int64_t done, std::int64_t total)> progress =
      {};  ///< after each batch, from the calling thread
  std::stop_token stop =
      {};  ///< when asked to stop, ends at the network's next block with FeatureMatrix::stopped
};

/** Rows in data-set order, all finite, without the images that could not be used. */
struct FeatureMatrix {
  torch::Tensor features;             ///< [n, D] fp32, CPU
  std::vector<std::int64_t> labels;   ///< [n], -1 without labels
  std::vector<std::int64_t> indices;  ///< [n] data-set index of each row
  std::vector<std::string> bad;       ///< "name: reason" of images left out, the first 100
  std::int64_t bad_count = 0;
  std::int64_t not_finite = 0;  ///< of the bad: read, but their features hold NaN or infinity
  bool stopped = false;         ///< the rows end early, because options.stop asked for it
};

/** Features of every usable image. The backbone runs in eval mode without gradients and is put
 * back as it was. Images that cannot be read, or whose features are not finite, are left out and
 * counted; throws Error{Data} if none is left, Error{Config} on a bad preprocess. Not thread-safe
 * per backbone. */
FeatureMatrix extract_features(model::Backbone& backbone, const data::Dataset& dataset,
                               const data::Preprocess& preprocess, FeatureKind kind,
                               const ExtractOptions& options);

/** The baseline any network has to beat: the normalized pixels themselves, flattened [n, C*H*W]. */
FeatureMatrix extract_pixels(const data::Dataset& dataset, const data::Preprocess& preprocess,
                             const ExtractOptions& options);

/** Puts a module and all in it into eval mode, and each of them back into its former one when it
 * goes. */
class EvalMode {
 public:
  explicit EvalMode(torch::nn::Module& module);
  ~EvalMode();
  EvalMode(const EvalMode&) = delete;
  EvalMode& operator=(const EvalMode&) = delete;

 private:
  std::vector<std::pair<torch::nn::Module*, bool>> were_training_;  ///< parents before children
};

/** While it lives, passes of the backbone end when `stop` is asked to. */
class StopScope {
 public:
  StopScope(model::Backbone& backbone, std::stop_token stop) : backbone_(backbone) {
    backbone_.set_stop(std::move(stop));
  }
  ~StopScope() { backbone_.set_stop({}); }
  StopScope(const StopScope&) = delete;
  StopScope& operator=(const StopScope&) = delete;

 private:
  model::Backbone& backbone_;
};

/** Rows of `features` [n, ...] that hold NaN or infinity, in order; empty if all are finite. */
std::vector<std::int64_t> rows_not_finite(const torch::Tensor& features);

/** Why such an image is left out. */
inline constexpr const char* kNotFinite =
    "its features are not finite (NaN or infinity): look for such values in the image, or compute "
    "with --precision fp32";

}  // namespace dino::embed
