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
  /** `architecture` must be of Family::Vit. */
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
  /** With false, uses Torch operations instead of the fused CPU nodes and the packed engine, as
   * other devices do: the reference for tests. The default is true. */
  void set_fused(bool fused) { fused_ = fused; }

 private:
  struct Packed {
    torch::Tensor tokens;  ///< [T, D]
    TokenLayout layout;
    /// Height and width per group, patches
    std::vector<std::pair<std::int64_t, std::int64_t>> grids;
  };
  const arch::Vit& vit() const { return architecture_.vit; }
  std::int64_t prefix() const { return 1 + vit().registers; }
  void check_images(const torch::Tensor& images) const;
  Packed embed(const std::vector<CropGroup>& groups);
  torch::Tensor compose_embed(const std::vector<CropGroup>& groups,
                              const std::vector<torch::Tensor>& positions,
                              const TokenLayout& layout) const;
  std::vector<torch::Tensor> rope_tables(const Packed& packed) const;
  /** Runs all blocks: [T, D] -> [T, D], or the CLS rows [S, D]. */
  torch::Tensor encode(const Packed& packed, bool cls_only);
  /** Tokens [T, D] after the blocks before `block`. */
  torch::Tensor encode_before(const Packed& packed, int block);
  /** Applies the final norm to tokens [B, N, D]; `local` crops may have their own norm in training.
   */
  torch::Tensor final_norm(const torch::Tensor& tokens, bool local = false) const;
  Features split_tokens(const torch::Tensor& tokens, std::int64_t grid_height,
                        std::int64_t grid_width) const;
  /** Whether inference uses the packed engine: frozen, fused, on the CPU. */
  bool runs_repacked() const;
  /** The packed engine, made at the first use; null if it is not used. */
  std::shared_ptr<const FrozenVit> engine() const;
  FrozenVit::Input frozen_input(const torch::Tensor& images) const;

  /** Position tables for one image size. */
  struct Table {
    std::int64_t grid_height = 0, grid_width = 0;
    bool square = false;  ///< whether the image is square
    torch::Tensor positions = {}, rope = {};
  };

  /** State of a frozen network that is made on demand; guarded by its mutex. */
  struct Frozen {
    std::mutex mutex;
    std::shared_ptr<const FrozenVit> engine;  ///< made at the first use
    std::list<Table> tables;                  ///< tables of the last few sizes, the newest first
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

/** Resamples the position table pos [1, 1 + M*M, D] for a grid of patches: unchanged if the grid is
 * M x M (and, as in the reference, the image is square), else the patch rows are resampled
 * bicubically in the given mode and CLS's row is kept. Differentiable. */
torch::Tensor interpolate_positions(const torch::Tensor& pos, std::int64_t grid_height,
                                    std::int64_t grid_width, arch::Positions mode,
                                    bool square_image = true);

}  // namespace dino::model
