// Computes feature matrices of data sets, for k-NN and search. Worker threads decode images while
// the network processes the previous batch.
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

/** The feature that represents an image. */
enum class FeatureKind {
  Cls,              ///< [D] the CLS token after the final norm: DINO's default
  ClsAndMeanPatch,  ///< [2D] CLS followed by the mean patch token, as in DINOv2's classifiers
};

struct ExtractOptions {
  int batch_size = 256;         ///< images per forward pass; affects results only by rounding
  int threads = 0;              ///< see BatchOptions
  int patch_size = 1;           ///< px of the network's patch; see data::Remainder
  std::int64_t max_tokens = 0;  ///< images with more patches count as bad; 0 = no limit
  data::Augment augment = {};   ///< none by default
  /// Called after each batch by the calling thread
  std::function<void(std::int64_t done, std::int64_t total)> progress = {};
  /// When requested, ends at the network's next block and sets FeatureMatrix::stopped
  std::stop_token stop = {};
};

/** The features of all usable images, in data-set order; all are finite. */
struct FeatureMatrix {
  torch::Tensor features;             ///< [n, D] fp32, CPU
  std::vector<std::int64_t> labels;   ///< [n], -1 without labels
  std::vector<std::int64_t> indices;  ///< [n] data-set index of each row
  std::vector<std::string> bad;       ///< "name: reason" of the first 100 skipped images
  std::int64_t bad_count = 0;
  std::int64_t not_finite = 0;  ///< of the bad: images whose features contain NaN or infinity
  bool stopped = false;         ///< options.stop was requested; the rows are incomplete
};

/** Computes features of every usable image. The backbone runs in eval mode without gradients; its
 * mode is restored. Images that cannot be read, or whose features are not finite, are skipped and
 * counted. Throws Error{Data} if none is left, Error{Config} on an invalid preprocess. One call
 * per backbone at a time. */
FeatureMatrix extract_features(model::Backbone& backbone, const data::Dataset& dataset,
                               const data::Preprocess& preprocess, FeatureKind kind,
                               const ExtractOptions& options);

/** The baseline for k-NN: the normalized pixels as features, flattened [n, C * H * W]. */
FeatureMatrix extract_pixels(const data::Dataset& dataset, const data::Preprocess& preprocess,
                             const ExtractOptions& options);

/** Sets a module and its submodules to eval mode; the destructor restores the mode of each. */
class EvalMode {
 public:
  explicit EvalMode(torch::nn::Module& module);
  ~EvalMode();
  EvalMode(const EvalMode&) = delete;
  EvalMode& operator=(const EvalMode&) = delete;

 private:
  std::vector<std::pair<torch::nn::Module*, bool>> were_training_;  ///< parents before children
};

/** Calls set_stop(stop) on a backbone; the destructor resets it. */
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

/** The indices of the rows of `features` [n, ...] that contain NaN or infinity, ascending. */
std::vector<std::int64_t> rows_not_finite(const torch::Tensor& features);

/** The reason given for images whose features are not finite. */
inline constexpr const char* kNotFinite =
    "its features are not finite (NaN or infinity): look for such values in the image, or compute "
    "with --precision fp32";

}  // namespace dino::embed
