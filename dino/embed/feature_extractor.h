// A backbone with its preprocessing, which computes features of images of any size.
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
  weights::ReadOptions read = {};  ///< settings that the file does not contain
  /** Images with more patches throw Error{Data} instead of computing for minutes; 0 = no limit. */
  std::int64_t max_tokens = data::kMaxTokens;
};

/** Const functions are thread-safe. Each call uses Torch's threads (at::set_num_threads). */
class FeatureExtractor {
 public:
  /** Loads weights of any form (see weights::read) or of a run. Throws Error{Io|Format}. */
  explicit FeatureExtractor(const std::filesystem::path& weights,
                            const ExtractorOptions& options = {});

  const arch::Network& network() const { return network_; }
  /** The precision and the kernels that compute the features. */
  model::Computed computed() const { return backbone_->computed(); }
  /** How images are prepared: the weights' preprocessing, unless changed. */
  const data::Preprocess& preprocess() const { return network_.preprocess; }
  /** Replaces the preprocessing. Throws Error{Config} if it is invalid. Not thread-safe. */
  void set_preprocess(const data::Preprocess& preprocess);

  /** Prepares an image as network input [C, H, W] with its placement. Throws Error{Usage} on
   * another number of channels, Error{Data} if the size does not fit (see data::Remainder) or has
   * too many patches. */
  data::Prepared prepare(const image::Image& image) const;
  data::Prepared prepare(const image::Planes& image) const;
  /** Decodes and prepares an image file like `dino embed`, with the orientation, background and
   * value range of preprocess(). Also throws Error{Io|Format}. */
  data::Prepared prepare(const std::filesystem::path& file) const;

  /** Features after the final norm of normalized images [B, C, H, W] fp32. */
  model::Features forward(const torch::Tensor& images) const;
  /** The outputs of the given blocks (-1 = the last), in the order given; see
   * model::Backbone::layers(). */
  std::vector<model::Features> layers(const torch::Tensor& images, const std::vector<int>& blocks,
                                      bool norm = true) const;
  /** The attention of a block, [B, h, 1 + R or N, N]; see model::Backbone::attention(). */
  torch::Tensor attention(const torch::Tensor& images, int block = -1,
                          model::AttentionRows rows = model::AttentionRows::Prefix) const;

  /** Calls prepare() and forward() for one image; B = 1. */
  model::Features features(const image::Image& image) const;
  /** The same for an image file. */
  model::Features features(const std::filesystem::path& file) const;
  /** Features of several images, in their order, each with B = 1. Images of equal prepared size
   * share forward passes of at most `batch_size`; results equal those of single images up to
   * rounding. */
  std::vector<model::Features> features(std::span<const image::Image> images,
                                        int batch_size = 16) const;

 private:
  data::Preparer preparer() const;

  /** Features of prepared images, in their order, each with B = 1. */
  std::vector<model::Features> features_of(const std::vector<data::Prepared>& prepared,
                                           int batch_size) const;

  std::shared_ptr<model::Backbone> backbone_;
  arch::Network network_;
  std::int64_t max_tokens_;
};

}  // namespace dino::embed
