// XCiT (El-Nouby et al. 2021, "Cross-Covariance Image Transformers") as DINO trained it: a stem of
// stride-2 convolutions, Fourier positions, blocks of channel attention (XCA), 3x3 local patch
// interaction (LPI) and MLP over the patches, then blocks in which a class token attends to the
// patches. The networks that DINO released are facebookresearch/xcit's xcit_small_12 and
// xcit_medium_24 with tokens_norm = True (timm: xcit_{small_12,medium_24}_{p16,p8}_224), that is,
// the second norm of a class-attention block replaces all its tokens. Stochastic depth is not
// implemented.
#pragma once
#include <torch/nn/module.h>
#include <torch/types.h>

#include <vector>

#include "dino/arch/architecture.h"
#include "dino/model/backbone.h"

namespace dino::model {

struct Affine;
struct BatchNorm;
struct XcaBlock;
struct ClassAttentionBlock;

/** Parameter and buffer names are the reference's (blocks.0.local_mp.bn.running_mean, ...).
 * forward_groups() in training mode normalizes by the statistics of each group's batch and updates
 * the running ones; inference always uses the running statistics. Sizes that are not multiples of
 * the patch are padded, as in the reference: the grid is H / p and W / p, rounded up. */
class Xcit : public Backbone {
 public:
  /** The reference's initialization: linear layers normal 0.02, convolutions Torch's default. */
  Xcit(const arch::Xcit& options, std::int64_t channels, torch::Generator generator);

  std::int64_t dim() const override { return options_.dim; }
  /** Throws Error{Usage} on masks: this network has no mask token. */
  std::vector<GroupFeatures> forward_groups(const std::vector<CropGroup>& groups,
                                            Tokens tokens) override;
  /** H and W at least one patch. */
  Features forward_features(const torch::Tensor& images) override;
  int depth() const override { return static_cast<int>(options_.depth + options_.cls_depth); }
  /** The last blocks have class attention; the others have no class token and return an undefined
   * cls. */
  std::vector<Features> layers(const torch::Tensor& images, const std::vector<int>& blocks,
                               bool norm) override;
  /** The attention of a class-attention block, in which only the class token is a query: [B, h, 1,
   * 1 + P] for any `rows`. Throws Error{Usage} for the other blocks, whose attention is between
   * channels. */
  torch::Tensor attention(const torch::Tensor& images, int block, AttentionRows rows) override;

 private:
  struct StemStep {
    std::shared_ptr<Affine> convolution;
    std::shared_ptr<BatchNorm> norm;
  };
  /** Tokens [B, P, D] or [B, 1 + P, D] and the size of their grid. */
  struct Grid {
    torch::Tensor tokens;
    std::int64_t height = 0, width = 0;
  };
  Features features_of(const Grid& grid, bool has_cls, bool norm) const;
  Grid embed(const torch::Tensor& images, bool batch_statistics) const;
  /** Prepends the class token if block i is the first with class attention. */
  torch::Tensor input_of(std::int64_t i, const torch::Tensor& tokens) const;
  void apply_block(std::int64_t i, Grid& grid, bool batch_statistics) const;
  /** Runs all blocks, without the final norm. */
  Grid encode(const torch::Tensor& images, bool batch_statistics) const;

  arch::Xcit options_;
  torch::Tensor cls_token_;
  std::vector<StemStep> stem_;
  std::vector<std::shared_ptr<XcaBlock>> blocks_;
  std::vector<std::shared_ptr<ClassAttentionBlock>> cls_blocks_;
  std::shared_ptr<Affine> norm_, position_projection_;
};

}  // namespace dino::model
