#include <ATen/CPUGeneratorImpl.h>
#include <fmt/format.h>

#include "dino/model/backbone.h"

int main() {
  const auto backbone = dino::model::make_backbone(
      {.arch = "vit", .patch_size = 8, .dim = 32, .depth = 1, .heads = 2}, 3, 32, 0.0,
      at::detail::createCPUGenerator(1));
  const auto features = backbone->forward_features(torch::rand({2, 3, 32, 48}));
  fmt::print("CLS {} x {}, grid {} x {}\n", features.cls.size(0), features.cls.size(1),
             features.grid_height, features.grid_width);
  return features.cls.size(1) == 32 && features.grid_width == 6 ? 0 : 1;
}
