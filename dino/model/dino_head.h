// The DINO projection head (Caron et al. 2021, appendix C): an MLP, L2 normalisation, and a weight-normalised linear layer to K prototypes.
#pragma once
#include <torch/types.h>
#include <torch/nn/module.h>

#include "dino/model/backbone.h"
#include "dino/recipe/recipe.h"

namespace dino::model {

/** Parameters are named as in the reference: mlp.0.weight, ..., last_layer.weight_g [K, 1], last_layer.weight_v [K, bottleneck]. */
class DinoHead : public torch::nn::Module {
 public:
  DinoHead(std::int64_t in_dim, const recipe::Head& options, torch::Generator generator);
  /** [N, D] -> logits [N, K]. */
  torch::Tensor forward(const torch::Tensor& x);
  void set_precision(Precision precision) { precision_ = precision; }
  std::int64_t prototypes() const { return options_.prototypes; }

 private:
  recipe::Head options_;
  Precision precision_ = Precision::Fp32;
};

}  // namespace dino::model
