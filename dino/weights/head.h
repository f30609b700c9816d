// The heads that stand on a backbone in checkpoints and releases: DINO's projections to prototypes
// (Caron et al. 2021, appendix C; one more for iBOT's patches) and linear classifiers. Leaves out
// the decoders of dense tasks.
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

/** Every number that defines a head. Those of the MLP count for projections only. */
struct HeadShape {
  HeadKind kind = HeadKind::Projection;
  std::int64_t in_dim = 0;      ///< width of the features it takes
  std::int64_t outputs = 0;     ///< prototypes K, or classes
  std::int64_t layers = 3;      ///< linear layers of the MLP
  std::int64_t hidden = 0;      ///< width between them; 0 with one layer
  std::int64_t bottleneck = 0;  ///< width that is L2-normalized
  bool bias = true;             ///< of the MLP's layers, or of the classifier
  bool batch_norm = false;      ///< after each hidden layer (DINO with ResNet-50)
  bool weight_norm = true;      ///< last_layer is weight_g * weight_v / |weight_v|; not in DINOv3
  bool operator==(const HeadShape&) const = default;
};

/** The names of heads in our files and of their tensors' prefixes. */
inline constexpr std::string_view kDinoHead = "dino_head", kIbotHead = "ibot_head",
                                  kClassifier = "classifier";

/** Complete: exactly the tensors of head_tensors(shape), in that order. */
struct Head {
  std::string name;  ///< kDinoHead, kIbotHead or kClassifier
  HeadShape shape;
  std::vector<format::TensorRecord> tensors;
};

/** All tensors, under the names of DINO's and DINOv2's code: mlp.0.weight, ...,
 * last_layer.weight_g [K, 1], last_layer.weight_v [K, bottleneck] or, without weight norm,
 * last_layer.weight; of a classifier weight [classes, in_dim] and bias. */
std::vector<arch::TensorSpec> head_tensors(const HeadShape& shape);

/** The head that these tensors (names without the head's own prefix) make up. Accepts the names of
 * newer PyTorch's weight norm too. Throws Error{Format} naming `origin` and the head and listing
 * missing, misshapen and unexpected tensors. */
Head make_head(std::string_view name, const NamedTensors& tensors, std::string_view origin);

/** "384 -> 2048 -> 2048 -> 256 -> 65536 prototypes, weight norm". */
std::string describe(const HeadShape& shape);

/** What the papers' classifiers of this width take from this backbone: "cls", "cls+mean",
 * "cls+mean, interleaved" (DINO), "cls of 4 blocks", "cls of 4 blocks+mean"; empty if none does. */
std::string_view classifier_input(const arch::Architecture& architecture, std::int64_t in_dim);

}  // namespace dino::weights
