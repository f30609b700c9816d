// The Vision Transformer of DINO, DINOv2 and DINOv3 (vision_transformer.py of each): patch
// embedding, CLS token, registers, learned or rotary positions, encoder, final norm. What differs
// between the generations is data: arch::Vit.
#pragma once
#include <torch/nn/module.h>
#include <torch/types.h>

#include <list>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "dino/model/backbone.h"
#include "dino/model/encoder.h"
#include "dino/model/frozen_vit.h"
#include "dino/model/rope.h"

namespace dino::model {

class VisionTransformer : public Backbone {
 public:
  /** `architecture` is of Family::Vit. */
  VisionTransformer(const arch::Architecture& architecture, const TrainingOptions& options,
                    torch::Generator generator);

  std::int64_t dim() const override { return vit().dim; }
  int depth() const override { return static_cast<int>(vit().depth); }
  std::vector<GroupFeatures> forward_groups(const std::vector<CropGroup>& groups,
                                            Tokens tokens) override;
  Features forward_features(const torch::Tensor& images) override;
  std::vector<Features> layers(const torch::Tensor& images, const std::vector<int>& blocks,
                               bool norm) override;
  torch::Tensor attention(const torch::Tensor& images, int block, AttentionRows rows) override;
  void set_precision(Precision precision) override;
  Computed computed() const override;
  void freeze() override;
  /** false: compose Torch operations instead of the fused CPU nodes (the reference for tests; what
   * other devices use). Default true. */
  void set_fused(bool fused) { fused_ = fused; }

 private:
  struct Packed {
    torch::Tensor tokens;  ///< [T, D]
    TokenLayout layout;
    std::vector<std::pair<std::int64_t, std::int64_t>> grids;  ///< per group, height and width
  };
  const arch::Vit& vit() const { return architecture_.vit; }
  std::int64_t prefix() const { return 1 + vit().registers; }
  void check_images(const torch::Tensor& images) const;
  Packed embed(const std::vector<CropGroup>& groups);
  torch::Tensor compose_embed(const std::vector<CropGroup>& groups,
                              const std::vector<torch::Tensor>& positions,
                              const TokenLayout& layout) const;
  std::vector<torch::Tensor> rope_tables(const Packed& packed) const;
  /** All blocks: [T, D] -> [T, D], or the CLS rows [S, D]. */
  torch::Tensor encode(const Packed& packed, bool cls_only);
  /** Tokens [T, D] after the blocks before `block`. */
  torch::Tensor encode_before(const Packed& packed, int block);
  /** The final norm of tokens [B, N, D]; `local` crops may have their own in training. */
  torch::Tensor final_norm(const torch::Tensor& tokens, bool local = false) const;
  Features split_tokens(const torch::Tensor& tokens, std::int64_t grid_height,
                        std::int64_t grid_width) const;
  /** Whether features for use come from a repacked network: frozen, on the CPU. */
  bool runs_repacked() const;
  /** The repacked network, or null without one. */
  std::shared_ptr<const FrozenVit> engine() const;
  FrozenVit::Input frozen_input(const torch::Tensor& images) const;

  /** Positions and rotations of one size of image. */
  struct Table {
    std::int64_t grid_height = 0, grid_width = 0;
    bool square = false;  ///< the image is
    torch::Tensor positions = {}, rope = {};
  };

  /** What is made once for a frozen network; guarded by its mutex. */
  struct Frozen {
    std::mutex mutex;
    std::shared_ptr<const FrozenVit> engine;  ///< made at the first use
    std::list<Table> tables;                  ///< of the last few sizes, the newest first
  };

  arch::Architecture architecture_;
  TrainingOptions options_;
  torch::Generator generator_;
  bool fused_ = true;
  std::unique_ptr<Frozen> frozen_;  ///< null until freeze()
  torch::Tensor cls_token_, pos_embed_, register_tokens_, mask_token_;
  std::shared_ptr<Affine> patch_proj_, norm_;
  std::shared_ptr<Affine> cls_norm_, local_cls_norm_;  ///< null unless the architecture has them
  std::vector<std::shared_ptr<Block>> blocks_;
};

/** The position table pos [1, 1 + M*M, D] for a grid of patches of an image: as stored if the grid
 * is M x M (and, as the reference asks, the image a square), else CLS row as stored and the patch
 * rows resampled bicubically in the given mode. Differentiable. */
torch::Tensor interpolate_positions(const torch::Tensor& pos, std::int64_t grid_height,
                                    std::int64_t grid_width, arch::Positions mode,
                                    bool square_image = true);

}  // namespace dino::model
