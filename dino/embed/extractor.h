// Images in, feature rows out: what k-NN, search and export read. Decoding runs in worker threads
// while the network works on the batch before.
#pragma once
#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "dino/data/dataset.h"
#include "dino/data/preprocess.h"
#include "dino/model/backbone.h"
#include "dino/model/weights.h"

namespace dino::embed {

/** Which row stands for an image. */
enum class FeatureKind {
  Cls,              ///< [D] the final-normed CLS token: DINO's default
  ClsAndMeanPatch,  ///< [2D] CLS followed by the mean patch token, as DINOv2 classifies
};

struct ExtractOptions {
  int batch_size = 256;  ///< images per forward pass; no influence on the result beyond rounding
  int threads = 2;       ///< decoding threads
  int patch_size = 1;    ///< px, of the network: see data::Remainder
  data::Augment augment = {};  ///< none by default
  std::function<void(std::int64_t done, std::int64_t total)> progress =
      {};  ///< after each batch, from the calling thread
  std::stop_token stop =
      {};  ///< when asked to stop, ends after the current batch with FeatureMatrix::stopped
};

/** Rows in data-set order, without the images that could not be read. */
struct FeatureMatrix {
  torch::Tensor features;             ///< [n, D] fp32, CPU
  std::vector<std::int64_t> labels;   ///< [n], -1 without labels
  std::vector<std::int64_t> indices;  ///< [n] data-set index of each row
  std::vector<std::string> bad;       ///< "name: reason" of images left out, the first 100
  std::int64_t bad_count = 0;
  bool stopped = false;  ///< the rows end early, because options.stop asked for it
};

/** Features of every readable image. The backbone runs in eval mode without gradients and is put
 * back as it was. Images that cannot be read are left out and counted; throws Error{Data} if none
 * is left, Error{Config} on a bad preprocess. Not thread-safe per backbone. */
FeatureMatrix extract_features(model::Backbone& backbone, const data::Dataset& dataset,
                               const data::Preprocess& preprocess, FeatureKind kind,
                               const ExtractOptions& options);

/** The baseline any network has to beat: the normalised pixels themselves, flattened [n, C*H*W]. */
FeatureMatrix extract_pixels(const data::Dataset& dataset, const data::Preprocess& preprocess,
                             const ExtractOptions& options);

/** Puts a module into eval mode and its former mode back when it goes. */
class EvalMode {
 public:
  explicit EvalMode(torch::nn::Module& module);
  ~EvalMode();
  EvalMode(const EvalMode&) = delete;
  EvalMode& operator=(const EvalMode&) = delete;

 private:
  torch::nn::Module& module_;
  bool was_training_;
};

}  // namespace dino::embed
