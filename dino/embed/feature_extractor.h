// A backbone with its preprocessing: images of any size in, features out.
#pragma once
#include <torch/types.h>

#include <filesystem>
#include <memory>
#include <span>
#include <vector>

#include "dino/data/prepare/preprocess.h"
#include "dino/embed/image_batches.h"
#include "dino/image/image.h"
#include "dino/model/backbone_file.h"

namespace dino::embed {

struct ExtractorOptions {
  model::Precision precision = model::Precision::Fp32;
  weights::ReadOptions read = {};  ///< what the file does not tell
  /** Images that need more are refused (Error{Data}) instead of computed for minutes; 0 = any. */
  std::int64_t max_tokens = kMaxTokens;
};

/** Thread-safe, but for the constructor. Torch's threads (at::set_num_threads) do the work of each
 * call. */
class FeatureExtractor {
 public:
  /** Loads weights of any form (see weights::read) or of a run. Throws Error{Io|Format}. */
  explicit FeatureExtractor(const std::filesystem::path& weights,
                            const ExtractorOptions& options = {});

  const arch::Network& network() const { return network_; }
  /** What features are computed in, and by what. */
  model::Computed computed() const { return backbone_->computed(); }
  /** How images are prepared; the weights' own preprocessing unless changed. */
  const data::Preprocess& preprocess() const { return network_.preprocess; }
  /** Throws Error{Config} if it is out of range. Not thread-safe. */
  void set_preprocess(const data::Preprocess& preprocess);

  /** What the network would be fed for this image: [C, H, W], and where the image lies in it.
   * Throws Error{Usage} on images of other channels, Error{Data} if the size does not fit (see
   * data::Remainder). */
  data::Prepared prepare(const image::Image& image) const;
  data::Prepared prepare(const image::Planes& image) const;
  /** Of an image file, read as `dino embed` reads it: its orientation, what is transparent and the
   * range of its samples as preprocess() says. Throws Error{Io|Format} too. */
  data::Prepared prepare(const std::filesystem::path& file) const;

  /** Final-normed features of normalized images [B, C, H, W] fp32. */
  model::Features forward(const torch::Tensor& images) const;
  /** Outputs of inner blocks (-1 = the last), in the order asked for. */
  std::vector<model::Features> layers(const torch::Tensor& images, const std::vector<int>& blocks,
                                      bool norm = true) const;
  /** Attention of a block, [B, h, 1 + R or N, N]. */
  torch::Tensor attention(const torch::Tensor& images, int block = -1,
                          model::AttentionRows rows = model::AttentionRows::Prefix) const;

  /** prepare() and forward() of one image; B = 1. */
  model::Features features(const image::Image& image) const;
  /** The same of an image file, which is read as prepare() does. */
  model::Features features(const std::filesystem::path& file) const;
  /** Of several, in their order, each B = 1. Images whose prepared sizes are equal share forward
   * passes of at most `batch_size`; the results are those of one at a time, up to rounding. */
  std::vector<model::Features> features(std::span<const image::Image> images,
                                        int batch_size = 16) const;

 private:
  data::Preparer preparer() const;

  /** Features of prepared images, in their order, each B = 1. */
  std::vector<model::Features> features_of(const std::vector<data::Prepared>& prepared,
                                           int batch_size) const;

  std::shared_ptr<model::Backbone> backbone_;
  arch::Network network_;
  std::int64_t max_tokens_;
};

}  // namespace dino::embed
