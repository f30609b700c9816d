#include "dino/model/onnx_check.h"

#include <torch/types.h>

#include <algorithm>
#include <cmath>

#include "dino/base/error.h"
#include "dino/model/onnx_evaluator.h"

namespace dino::model {

torch::Tensor probe_images(std::int64_t batch, std::int64_t channels, std::int64_t height,
                           std::int64_t width) {
  const auto grid = torch::meshgrid(
      {torch::linspace(-1.0, 1.0, height), torch::linspace(-1.0, 1.0, width)}, "ij");
  const torch::Tensor disc = (grid[0] * grid[0] + grid[1] * grid[1]).lt(0.3);
  std::vector<torch::Tensor> images;
  for (std::int64_t b = 0; b < batch; ++b)
    for (std::int64_t c = 0; c < channels; ++c) {
      const auto frequency = static_cast<double>(b + c);
      images.push_back((grid[0] * (3.0 + frequency)).sin() * (grid[1] * (7.0 - frequency)).cos() +
                       disc);
    }
  return torch::stack(images).view({batch, channels, height, width});
}

bool OnnxAgreement::good() const {
  const double angle = std::sqrt(2 * (1 - kOnnxCosine));  // of the cosine, and so the difference
  return cosine >= kOnnxCosine && difference <= angle;
}

OnnxAgreement compare(const onnx::Graph& graph, Backbone& backbone, const arch::Network& network) {
  const arch::Architecture& a = network.architecture;
  const std::int64_t least = std::max<std::int64_t>(a.patch_size(), 32);
  const std::int64_t side = std::max<std::int64_t>(network.preprocess.image_size, least);
  std::vector<torch::Tensor> cosines, differences;
  for (const auto& images : {probe_images(2, a.channels, side, side),
                             probe_images(1, a.channels, side / 2 + least + 3, side + 5)}) {
    const Features expected = backbone.forward_features(images);
    auto outputs = evaluate(graph, {{"images", images}});
    const auto add = [&](const char* name, const torch::Tensor& feature) {
      if (!outputs[name].defined() || outputs[name].sizes() != feature.sizes())
        fail(ErrorKind::Internal, "[onnx] {} of the graph has another shape than ours", name);
      const torch::Tensor theirs = outputs[name].to(torch::kFloat64),
                          ours = feature.to(torch::kFloat64);
      cosines.push_back(at::cosine_similarity(theirs, ours, -1).min());
      differences.push_back(((theirs - ours).norm(2, -1) / ours.norm(2, -1)).max());
    };
    add("cls", expected.cls);
    add("patches", expected.patches);
    if (expected.registers.defined()) add("registers", expected.registers);
  }
  // Torch's extremes are NaN where anything is.
  return {torch::stack(cosines).min().item<double>(),
          torch::stack(differences).max().item<double>()};
}

}  // namespace dino::model
