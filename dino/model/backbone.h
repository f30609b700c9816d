// What every backbone offers: image-level and patch-level features, for training (several crop
// groups at once) and for use (one batch). Alphabet: B images, C channels, H W pixels, P patches, N
// = 1 + P tokens, D embedding width, L blocks, h attention heads.
#pragma once
#include <torch/nn/module.h>
#include <torch/types.h>

#include <memory>
#include <optional>
#include <vector>

#include "dino/recipe/recipe.h"

namespace dino::model {

/** Arithmetic of matrix products and stored activations; parameters, norms, softmax and losses stay
 * fp32. */
enum class Precision { Fp32, Bf16 };

/** One batch of equally sized crops. */
struct CropGroup {
  torch::Tensor images;  ///< [B, C, H, W] fp32
  torch::Tensor masks;   ///< [B, P] bool, true = replaced by the mask token; undefined = none
};

/** What a training objective reads; asking for less is cheaper (the last block then computes only
 * CLS). */
enum class Tokens { Cls, ClsAndPatches };

struct GroupFeatures {
  torch::Tensor cls;      ///< [B, D] after the final norm
  torch::Tensor patches;  ///< [B, P, D] after the final norm; undefined when only CLS was asked for
};

/** Features for use. Patch index = y * grid_width + x. */
struct Features {
  torch::Tensor cls;             ///< [B, D] fp32, final-normed
  torch::Tensor patches;         ///< [B, P, D] fp32, final-normed
  int grid_height = 0;           ///< H / patch
  int grid_width = 0;            ///< W / patch
  torch::Tensor registers = {};  ///< [B, R, D] fp32; undefined without registers
};

/** A module whose named_parameters() carry the official DINO names. Not thread-safe while training;
 * concurrent forward() in eval mode is. */
class Backbone : public torch::nn::Module {
 public:
  /** D of cls. */
  virtual std::int64_t dim() const = 0;
  /** Training forward: all groups in one packed pass (linear layers run once over the tokens of all
   * crops). Keeps the graph if gradients are on. */
  virtual std::vector<GroupFeatures> forward_groups(const std::vector<CropGroup>& groups,
                                                    Tokens tokens) = 0;
  /** Features of images [B, C, H, W] fp32, normalised; H and W at least one patch (the remainder
   * right and below is dropped, as the reference does). */
  virtual Features forward_features(const torch::Tensor& images) = 0;
  /** Output tokens [B, N, D] of the last n blocks, oldest first, each through the final norm if
   * `norm` (get_intermediate_layers of the reference). */
  virtual std::vector<torch::Tensor> last_layers(const torch::Tensor& images, int n,
                                                 bool norm = true) = 0;
  /** Softmax attention of the last block: [B, h, N, N] fp32. Throws Error{Usage} where the
   * architecture has none. */
  virtual torch::Tensor last_attention(const torch::Tensor& images) = 0;
  /** Precision of the matrix products. Default fp32. */
  virtual void set_precision(Precision precision) = 0;
};

/** Builds the recipe's architecture with the reference's initialisation. `image_size` px is the
 * global crop size (the position table's grid); `drop_path` is 0 for a teacher. Draws from
 * `generator`. Throws Error{Config} on an unknown arch or sizes that do not fit. */
std::shared_ptr<Backbone> make_backbone(const recipe::Backbone& options, int channels,
                                        int image_size, double drop_path,
                                        torch::Generator generator);

}  // namespace dino::model
