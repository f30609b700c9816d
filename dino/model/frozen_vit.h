// A ViT whose weights will not change: packed once for this processor, then run without autograd,
// without Torch operations and without allocations per layer. What VisionTransformer uses for
// features on the CPU.
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

/** Thread-safe: calls share nothing but the weights. */
class FrozenVit {
 public:
  /** `tensor(name)` gives a canonical tensor; all are copied. It and `copied`, which is called
   * after each block's, are called by several threads at once. */
  FrozenVit(const arch::Architecture& architecture, Precision precision,
            const std::function<torch::Tensor(const std::string&)>& tensor,
            const std::function<void()>& copied = {});

  /** What such a network computes in when it is asked for `precision`. */
  static Computed computed(Precision precision);

  /** Output of a block that is wanted. */
  struct Tap {
    int block = 0;
    bool norm = true;      ///< through the final norm
    torch::Tensor tokens;  ///< [B, N, D] fp32, filled
  };

  /** What goes in; contiguous fp32 on the CPU. */
  struct Input {
    torch::Tensor images;     ///< [B, C, H, W]
    torch::Tensor positions;  ///< [1, 1 + P, D], or undefined with RoPE
    torch::Tensor rope;       ///< [2, P, d], or undefined
    std::stop_token stop;     ///< ends the call at its next block, with Stopped
  };
  /** Fills the taps. */
  void forward(const Input& input, std::vector<Tap>& taps) const;
  /** Final-normed CLS of the last block, which then computes little else: [B, D]. */
  torch::Tensor cls(const Input& input) const;

 private:
  struct Call;  // what one call's threads share
  struct Linear {
    cpu::PackedWeights weights;
    std::vector<float> bias, gain;  ///< empty if there is none
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
  void share_out(Call& call) const;  ///< over threads

  arch::Architecture architecture_;
  cpu::GemmType type_;     ///< of the linear layers
  cpu::Type activations_;  ///< between them
  Linear patch_;
  std::vector<float> cls_, registers_;
  std::vector<Block> blocks_;
  Norm norm_, cls_norm_;  ///< cls_norm_ is empty unless the architecture has one
};

}  // namespace dino::model
