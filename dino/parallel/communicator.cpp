#include "dino/parallel/communicator.h"

#include <torch/types.h>

namespace dino::parallel {

void Communicator::mean(std::span<torch::Tensor> tensors) {
  if (world() == 1) return;
  const torch::NoGradGuard no_grad;
  sum(tensors);
  for (torch::Tensor& tensor : tensors) tensor.div_(world());
}

}  // namespace dino::parallel
