// XCiT (El-Nouby et al. 2021, "Cross-Covariance Image Transformers") as DINO trained it: a stem of
// stride-2 convolutions, Fourier positions, blocks of attention between channels (XCA), 3x3 local
// interaction (LPI) and MLP over the patches alone, then blocks in which a class token attends to
// them. The nets DINO released are facebookresearch/xcit's xcit_small_12 and xcit_medium_24 with
// tokens_norm = True (timm: xcit_{small_12,medium_24}_{p16,p8}_224), that is, the second norm of a
// class-attention block replaces all its tokens. Without stochastic depth.
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
 * forward_groups() in training mode normalizes by each group's own batch and updates the running
 * statistics; the features for use always normalize by the running statistics. Sizes the patch does
 * not divide are padded, as in the reference: the grid is H / p and W / p rounded up. */
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
  /** The blocks with class attention come last; the others know no class token and give an
   * undefined cls. */
  std::vector<Features> layers(const torch::Tensor& images, const std::vector<int>& blocks,
                               bool norm) override;
  /** Of a class-attention block, where only the class token attends to tokens: [B, h, 1, 1 + P],
   * whatever `rows`. Throws Error{Usage} for the others, whose attention is between channels. */
  torch::Tensor attention(const torch::Tensor& images, int block, AttentionRows rows) override;

 private:
  struct StemStep {
    std::shared_ptr<Affine> convolution;
    std::shared_ptr<BatchNorm> norm;
  };
  /** Tokens [B, P, D] or [B, 1 + P, D] on their grid. */
  struct Grid {
    torch::Tensor tokens;
    std::int64_t height = 0, width = 0;
  };
  Features features_of(const Grid& grid, bool has_cls, bool norm) const;
  Grid embed(const torch::Tensor& images, bool batch_statistics) const;
  /** Puts the class token in front when block i is the first that wants it. */
  torch::Tensor input_of(std::int64_t i, const torch::Tensor& tokens) const;
  void apply_block(std::int64_t i, Grid& grid, bool batch_statistics) const;
  /** Before the final norm. */
  Grid encode(const torch::Tensor& images, bool batch_statistics) const;

  arch::Xcit options_;
  torch::Tensor cls_token_;
  std::vector<StemStep> stem_;
  std::vector<std::shared_ptr<XcaBlock>> blocks_;
  std::vector<std::shared_ptr<ClassAttentionBlock>> cls_blocks_;
  std::shared_ptr<Affine> norm_, position_projection_;
};

}  // namespace dino::model
