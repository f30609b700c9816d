// A project outside ours, with the installed headers and library.
#include <ATen/CPUGeneratorImpl.h>
#include <fmt/format.h>

#include <cstdio>

#include "dino/dino.h"

/** Its argument is an image file, which main.c reads too. */
int main(int, char** arguments) {
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

  const auto of_file = extractor.features(std::filesystem::path(arguments[1])).cls.contiguous();
  std::FILE* file = std::fopen("features.bin", "wb");
  if (file == nullptr || std::fwrite(of_file.data_ptr(), sizeof(float), 384, file) != 384) return 2;
  std::fclose(file);
  return features.cls.size(1) == 384 && features.grid_width == 16 ? 0 : 1;
}
