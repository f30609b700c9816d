// The Vision Transformer as the papers write it, in float64: token by token, head by head, with
// every option of arch::Vit. Slow, differentiable, and without a line of dino/model: what the
// library's passes are compared with.
#pragma once
#include <torch/types.h>

#include <array>
#include <functional>
#include <map>
#include <string>

#include "dino/arch/architecture.h"

namespace dino::model {

class VitOracle {
 public:
  /** Tensors by their canonical names; copied to float64 leaves. */
  VitOracle(const arch::Architecture& architecture,
            const std::function<torch::Tensor(const arch::TensorSpec&)>& tensor);

  struct Pass {
    torch::Tensor masks = {};  ///< [B, P] bool: patches that the mask token replaces
    torch::Tensor drop = {};   ///< [L, 2, B] factors of the residual branches
  };
  /** Tokens of images [B, C, H, W] after the block, or before the first (-1): [B, N, D]. */
  torch::Tensor tokens(const torch::Tensor& images, std::int64_t block, const Pass& pass) const;
  torch::Tensor tokens(const torch::Tensor& images, std::int64_t block) const {
    return tokens(images, block, {});
  }
  /** The final norm of tokens [B, N, D]; `is_local`: of local crops in training. */
  torch::Tensor final_norm(const torch::Tensor& tokens, bool is_local = false) const;
  /** What each token of a block looks at: [B, h, N, N]. */
  torch::Tensor attention(const torch::Tensor& images, std::int64_t block) const;

  const std::map<std::string, torch::Tensor>& leaves() const { return leaves_; }

 private:
  const torch::Tensor& at(const std::string& name) const { return leaves_.at(name); }
  const arch::Vit& vit() const { return architecture_.vit; }
  torch::Tensor affine(const torch::Tensor& x, const std::string& name) const;
  torch::Tensor norm(const torch::Tensor& x, const std::string& name) const;
  torch::Tensor embed(const torch::Tensor& images, const torch::Tensor& masks) const;
  torch::Tensor positions(std::int64_t grid_height, std::int64_t grid_width, bool square) const;
  torch::Tensor turned(const torch::Tensor& x, const torch::Tensor& angles) const;
  /** Queries, keys, values of a head: [B, N, d] each. */
  std::array<torch::Tensor, 3> head(const torch::Tensor& x, const std::string& block,
                                    std::int64_t head, const torch::Tensor& angles) const;
  /** Softmax over the keys: [B, N, N]. */
  torch::Tensor weights(const torch::Tensor& query, const torch::Tensor& key) const;
  torch::Tensor block(torch::Tensor x, std::int64_t index, const torch::Tensor& angles,
                      const torch::Tensor& drop) const;

  arch::Architecture architecture_;
  std::map<std::string, torch::Tensor> leaves_;
};

}  // namespace dino::model
