// Does an ONNX graph compute what the backbone it was made from does?
#pragma once
#include <torch/types.h>

#include "dino/model/backbone.h"
#include "dino/onnx/graph.h"

namespace dino::model {

inline constexpr double kOnnxCosine = 0.9999;  ///< what an exported network must reach

/** Pictures with color, edges and waves, each another, as a network takes them: [B, C, H, W]. */
torch::Tensor probe_images(std::int64_t batch, std::int64_t channels, std::int64_t height,
                           std::int64_t width);

struct OnnxAgreement {
  double cosine = 1;      ///< lowest of any token
  double difference = 0;  ///< largest |theirs - ours| / |ours| of any token
  /** False if anything is not a number. */
  bool good() const;
};

/** Compares CLS, registers and patches of two images of the network's own size and of one that is
 * neither square nor whole patches. Throws Error{Internal} if the shapes differ. */
OnnxAgreement compare(const onnx::Graph& graph, Backbone& backbone, const arch::Network& network);

}  // namespace dino::model
