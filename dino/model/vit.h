// The Vision Transformer of DINO (vision_transformer.py): patch embedding, CLS token, learned
// positions, encoder, final norm.
#pragma once
#include <torch/nn/module.h>
#include <torch/types.h>

#include <vector>

#include "dino/model/backbone.h"
#include "dino/model/encoder.h"

namespace dino::model {

struct VitOptions {
  EncoderOptions encoder;
  std::int64_t patch_size = 16;  ///< px
  std::int64_t channels = 3;
  std::int64_t image_size =
      224;  ///< px; the position table has (image_size / patch_size)^2 patch rows
  bool mask_token =
      false;  ///< masked crops replace patches by a learned token (iBOT); DINO has none
};

class VisionTransformer : public Backbone {
 public:
  VisionTransformer(const VitOptions& options, torch::Generator generator);

  std::int64_t dim() const override { return options_.encoder.dim; }
  std::vector<GroupFeatures> forward_groups(const std::vector<CropGroup>& groups,
                                            Tokens tokens) override;
  Features forward_features(const torch::Tensor& images) override;
  std::vector<torch::Tensor> last_layers(const torch::Tensor& images, int n, bool norm) override;
  torch::Tensor last_attention(const torch::Tensor& images) override;
  void set_precision(Precision precision) override { precision_ = precision; }
  /** false: compose Torch operations instead of the fused CPU node (the reference for tests; what
   * other devices use). Default true. */
  void set_fused(bool fused) { fused_ = fused; }

 private:
  struct Packed {
    torch::Tensor tokens;  ///< [T, D]
    TokenLayout layout;
  };
  Packed embed(const std::vector<CropGroup>& groups);
  torch::Tensor compose_embed(const std::vector<CropGroup>& groups,
                              const std::vector<torch::Tensor>& positions,
                              const TokenLayout& layout) const;
  /** All blocks: [T, D] -> [T, D], or the CLS rows [S, D]. */
  torch::Tensor encode(const Packed& packed, bool cls_only);
  std::int64_t grid(std::int64_t pixels) const;

  VitOptions options_;
  torch::Generator generator_;
  Precision precision_ = Precision::Fp32;
  bool fused_ = true;
  torch::Tensor cls_token_, pos_embed_, mask_token_;
  std::shared_ptr<Affine> patch_proj_, norm_;
  std::vector<std::shared_ptr<Block>> blocks_;
};

/** The position table pos [1, 1 + M*M, D] for a grid of patches: as stored if the grid is M x M,
 * else CLS row as stored and the patch rows resampled bicubically with DINO's explicit scale (grid
 * + 0.1) / M, which moves the sampling points. Differentiable. */
torch::Tensor interpolate_positions(const torch::Tensor& pos, std::int64_t grid_height,
                                    std::int64_t grid_width);

}  // namespace dino::model
