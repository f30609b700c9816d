// Dense features: which patches of an image resemble the one in its middle? Any size of image, at
// its own resolution.
//   03_patches WEIGHTS photo.jpg
#include <torch/nn/functional/normalization.h>
#include <torch/types.h>

#include "dino/dino.h"

int main(int argc, char** argv) {
  if (argc != 3) return fmt::print(stderr, "usage: 03_patches WEIGHTS IMAGE\n"), 2;
  dino::FeatureExtractor dino(argv[1]);
  auto preprocess = dino.preprocess();
  preprocess.fit = dino::data::Fit::Native;
  preprocess.remainder = dino::data::Remainder::Round;
  dino.set_preprocess(preprocess);
  const auto image = dino::image::decode_file(argv[2], dino.network().architecture.channels);
  const auto features = dino.features(image);
  const int height = features.grid_height, width = features.grid_width;
  const auto patches =
      torch::nn::functional::normalize(features.patches[0],  // [P, D]
                                       torch::nn::functional::NormalizeFuncOptions().dim(1));
  const auto likeness = patches.matmul(patches[height / 2 * width + width / 2]);  // [P]
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const double cosine = likeness[y * width + x].item<double>();
      fmt::print("{}", cosine > 0.8 ? '#' : cosine > 0.6 ? '+' : cosine > 0.4 ? '.' : ' ');
    }
    fmt::print("\n");
  }
}
