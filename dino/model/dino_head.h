// The DINO projection head (Caron et al. 2021, appendix C): an MLP, L2 normalization, and a
// weight-normalized linear layer to K prototypes.
#pragma once
#include <torch/nn/module.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/types.h>

#include <memory>
#include <vector>

#include "dino/model/backbone.h"
#include "dino/model/layers.h"

namespace dino::model {

struct DinoHeadOptions {
  std::int64_t prototypes = 65536;  ///< K
  int layers = 3;                   ///< linear layers of the MLP, at least 1
  std::int64_t hidden = 2048;       ///< width between them
  std::int64_t bottleneck = 256;    ///< width that is L2-normalized
  bool batch_norm = false;          ///< batch norm after each hidden linear layer
  bool weight_norm = true;  ///< of the last layer: a direction and a gain for each prototype (DINO,
                            ///< DINOv2); false: a plain matrix (DINOv3)
};

/** Parameters are named as in the reference: mlp.0.weight, ..., last_layer.weight_g [K, 1],
 * last_layer.weight_v [K, bottleneck]; or last_layer.weight without weight norm. */
class DinoHead : public torch::nn::Module {
 public:
  DinoHead(std::int64_t in_dim, const DinoHeadOptions& options, torch::Generator generator);
  /** [N, D] -> logits [N, K], of the precision's type. */
  torch::Tensor forward(const torch::Tensor& x);
  void set_precision(Precision precision) { precision_ = precision; }
  std::int64_t prototypes() const { return options_.prototypes; }

 private:
  DinoHeadOptions options_;
  Precision precision_ = Precision::Fp32;
  std::shared_ptr<torch::nn::Module> mlp_, last_layer_;
  std::vector<std::shared_ptr<Affine>> linears_;
  std::vector<torch::nn::BatchNorm1d> norms_;
  torch::Tensor gain_;       ///< last_layer.weight_g [K, 1]; undefined without weight norm
  torch::Tensor direction_;  ///< last_layer.weight_v, or last_layer.weight [K, bottleneck]
};

}  // namespace dino::model
