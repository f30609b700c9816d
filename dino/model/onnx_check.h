// Checks that an ONNX graph computes the same as the backbone it was made from.
#pragma once
#include <torch/types.h>

#include "dino/model/backbone.h"
#include "dino/onnx/graph.h"

namespace dino::model {

inline constexpr double kOnnxCosine = 0.9999;  ///< smallest accepted cosine similarity

/** Synthetic test images with color, edges and waves, all different: [B, C, H, W] fp32. */
torch::Tensor probe_images(std::int64_t batch, std::int64_t channels, std::int64_t height,
                           std::int64_t width);

struct OnnxAgreement {
  double cosine = 1;      ///< lowest cosine similarity of any token
  double difference = 0;  ///< largest |theirs - ours| / |ours| of any token, in L2 norm
  /** Whether the cosine reaches kOnnxCosine; false if a value is NaN. */
  bool good() const;
};

/** Compares CLS, registers and patches for two images of the network's own size and one that is not
 * square and not a multiple of the patch. Throws Error{Internal} if shapes differ. */
OnnxAgreement compare(const onnx::Graph& graph, Backbone& backbone, const arch::Network& network);

}  // namespace dino::model
