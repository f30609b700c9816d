// Stores all parameters of a network in one flat fp32 buffer, so that optimizer, EMA, clipping and
// checkpoints are a few long loops.
#pragma once
#include <torch/nn/module.h>
#include <torch/types.h>

#include <string>
#include <vector>

namespace dino::model {

/** The location of one parameter in the arena. */
struct ParamSlice {
  std::string name;         ///< as in named_parameters()
  std::int64_t offset = 0;  ///< first element; every slice starts on a 64-byte boundary
  std::int64_t count = 0;   ///< elements
  std::vector<std::int64_t> shape;
};

/** Replaces the parameters of a module (and their gradients, if `with_gradients`) by views of two
 * flat buffers. Module and arena share ownership of the buffers, so either may be destroyed first.
 * The module must not be moved to another device or type afterwards. */
class ParamArena {
 public:
  ParamArena() = default;
  ParamArena(torch::nn::Module& module, bool with_gradients);

  const std::vector<ParamSlice>& slices() const { return slices_; }
  torch::Tensor& values() { return values_; }        ///< [n] fp32, padding is 0
  torch::Tensor& gradients() { return gradients_; }  ///< [n] fp32, or undefined
  const torch::Tensor& values() const { return values_; }

 private:
  std::vector<ParamSlice> slices_;
  torch::Tensor values_, gradients_;
};

}  // namespace dino::model
