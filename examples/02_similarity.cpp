// How alike are images? Cosines of their CLS features.
//   02_similarity WEIGHTS a.jpg b.jpg c.jpg
#include <torch/nn/functional/normalization.h>
#include <torch/types.h>

#include "dino/dino.h"

int main(int argc, char** argv) {
  if (argc < 4) return fmt::print(stderr, "usage: 02_similarity WEIGHTS IMAGE IMAGE...\n"), 2;
  const dino::FeatureExtractor dino(argv[1]);
  std::vector<dino::image::Image> images;
  for (int i = 2; i < argc; ++i)
    images.push_back(dino::image::decode_file(argv[i], dino.network().architecture.channels));
  std::vector<torch::Tensor> rows;
  for (const auto& features : dino.features(images)) rows.push_back(features.cls);  // each [1, D]
  const auto unit = torch::nn::functional::normalize(torch::cat(rows));             // [n, D]
  const auto cosines = unit.matmul(unit.t());                                       // [n, n]
  for (int i = 2; i < argc; ++i)
    for (int j = i + 1; j < argc; ++j)
      fmt::print("{:.3f}  {}  {}\n", cosines[i - 2][j - 2].item<double>(), argv[i], argv[j]);
}
