// The inference engine of frozen ViTs on the CPU, used by VisionTransformer. Weights are packed
// once for this processor; a pass needs no autograd, no Torch operations and no allocations per
// layer.
#pragma once
#include <torch/types.h>

#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "dino/arch/architecture.h"
#include "dino/cpu/gemm.h"
#include "dino/model/backbone.h"

namespace dino::model {

/** Thread-safe: calls share only the weights. */
class FrozenVit {
 public:
  /** Copies all tensors; `tensor(name)` returns a canonical one. `copied` is called after each
   * block is copied. Both are called by several threads at once. */
  FrozenVit(const arch::Architecture& architecture, Precision precision,
            const std::function<torch::Tensor(const std::string&)>& tensor,
            const std::function<void()>& copied = {});

  /** How an engine computes when `precision` is requested. */
  static Computed computed(Precision precision);

  /** A requested output of a block. */
  struct Tap {
    int block = 0;
    bool norm = true;      ///< apply the final norm
    torch::Tensor tokens;  ///< [B, N, D] fp32, set by forward()
  };

  /** The inputs of a pass: contiguous fp32 tensors on the CPU. */
  struct Input {
    torch::Tensor images;     ///< [B, C, H, W]
    torch::Tensor positions;  ///< [1, 1 + P, D], or undefined with RoPE
    torch::Tensor rope;       ///< [2, P, d], or undefined
    std::stop_token stop;     ///< when requested, the pass throws Stopped at its next block
  };
  /** Runs the network and sets the tokens of all taps. */
  void forward(const Input& input, std::vector<Tap>& taps) const;
  /** CLS of the last block after the final norm, [B, D]. The last block computes little else. */
  torch::Tensor cls(const Input& input) const;

 private:
  struct Call;  // state that the threads of a call share
  struct Linear {
    cpu::PackedWeights weights;
    std::vector<float> bias, gain;  ///< empty if the layer has none
  };
  struct Norm {
    std::vector<float> gamma, beta;
  };
  struct Block {
    Norm norm1, norm2;
    Linear qkv, proj, fc1, fc2;
  };
  class Lane;

  Call make_call(const Input& input) const;
  void run(Call& call) const;
  void share_out(Call& call) const;  ///< distributes the work over threads

  arch::Architecture architecture_;
  cpu::GemmType type_;     ///< operand type of the linear layers
  cpu::Type activations_;  ///< type of activations between layers
  Linear patch_;
  std::vector<float> cls_, registers_;
  std::vector<Block> blocks_;
  Norm norm_, cls_norm_;  ///< cls_norm_ is empty unless the architecture has one
};

}  // namespace dino::model
