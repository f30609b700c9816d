// A project outside ours, with the installed headers and library.
#include <ATen/CPUGeneratorImpl.h>
#include <fmt/format.h>

#include "dino/dino.h"

int main() {
  dino::arch::Network network = dino::arch::zoo_entry("dinov2_vits14_reg").network;
  network.architecture.name.clear();
  network.architecture.vit.depth = 1;
  const auto backbone =
      dino::model::make_backbone(network.architecture, {}, at::detail::createCPUGenerator(1));
  dino::model::save_backbone("toy.safetensors", *backbone, network);

  const dino::FeatureExtractor extractor("toy.safetensors");
  const dino::image::Image image(300, 200, 3);
  const auto features = extractor.features(image);
  fmt::print("CLS {}, {} x {} patches\n", features.cls.size(1), features.grid_width,
             features.grid_height);
  return features.cls.size(1) == 384 && features.grid_width == 16 ? 0 : 1;
}
