// Weights of any published form and an image in, features out.
//   01_features dinov2_vits14_pretrain.pth photo.jpg
#include <torch/types.h>

#include "dino/dino.h"

int main(int argc, char** argv) {
  if (argc != 3) return fmt::print(stderr, "usage: 01_features WEIGHTS IMAGE\n"), 2;
  try {
    const dino::FeatureExtractor dino(argv[1]);
    const auto image = dino::image::decode_file(argv[2], dino.network().architecture.channels);
    const auto features = dino.features(image);
    fmt::print("{} x {} px -> CLS of {} numbers, norm {:.3f}; {} x {} patches\n", image.width,
               image.height, features.cls.size(1), features.cls.norm().item<double>(),
               features.grid_width, features.grid_height);
  } catch (const dino::Error& error) {
    return fmt::print(stderr, "{}\n", error.what()), 1;
  }
}
