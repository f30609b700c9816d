// The heads of backbones in checkpoints and releases: DINO's and iBOT's projections to prototypes
// (Caron et al. 2021, appendix C) and linear classifiers, but no decoders of dense tasks.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "dino/arch/architecture.h"
#include "dino/format/tensor_record.h"

namespace dino::weights {

/** Tensors by their names. */
using NamedTensors = std::map<std::string, const format::TensorRecord*, std::less<>>;

enum class HeadKind {
  Projection,  ///< MLP, L2 normalization, last_layer to prototypes
  Classifier,  ///< one linear layer to classes
};

/** The numbers that define a head; those of the MLP are used for projections only. */
struct HeadShape {
  HeadKind kind = HeadKind::Projection;
  std::int64_t in_dim = 0;      ///< width of the input features
  std::int64_t outputs = 0;     ///< prototypes K, or classes
  std::int64_t layers = 3;      ///< linear layers of the MLP
  std::int64_t hidden = 0;      ///< width between them; 0 with one layer
  std::int64_t bottleneck = 0;  ///< width that is L2-normalized
  bool bias = true;             ///< the MLP's layers, or the classifier, have a bias
  bool batch_norm = false;      ///< after each hidden layer (DINO with ResNet-50)
  bool weight_norm = true;      ///< last_layer is weight_g * weight_v / |weight_v|; not in DINOv3
  bool operator==(const HeadShape&) const = default;
};

/** The names of heads in our files, which are also their tensors' prefixes. */
inline constexpr std::string_view kDinoHead = "dino_head", kIbotHead = "ibot_head",
                                  kClassifier = "classifier";

/** A complete head: exactly the tensors of head_tensors(shape), in that order. */
struct Head {
  std::string name;  ///< kDinoHead, kIbotHead or kClassifier
  HeadShape shape;
  std::vector<format::TensorRecord> tensors;
};

/** The tensors of a head, under the names of DINO's and DINOv2's code: mlp.0.weight, ...,
 * last_layer.weight_g [K, 1], last_layer.weight_v [K, bottleneck] or, without weight norm,
 * last_layer.weight; for a classifier weight [classes, in_dim] and bias. */
std::vector<arch::TensorSpec> head_tensors(const HeadShape& shape);

/** Builds a head from tensors, whose names lack the head's prefix. Also accepts the names of newer
 * PyTorch's weight norm. Throws Error{Format} naming `origin` and the head and listing missing,
 * misshapen and unexpected tensors. */
Head make_head(std::string_view name, const NamedTensors& tensors, std::string_view origin);

/** A description: "384 -> 2048 -> 2048 -> 256 -> 65536 prototypes, weight norm". */
std::string describe(const HeadShape& shape);

/** The input that the papers' classifiers of this width take from this backbone: "cls", "cls+mean",
 * "cls+mean, interleaved" (DINO), "cls of 4 blocks", "cls of 4 blocks+mean"; empty if there is no
 * such classifier. */
std::string_view classifier_input(const arch::Architecture& architecture, std::int64_t in_dim);

}  // namespace dino::weights
