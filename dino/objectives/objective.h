// What a training step minimizes. An objective looks at the features that student and teacher give
// for the crops of a batch, through heads of its own, and returns a loss; a step sums the weighted
// losses of its objectives. To add one, see docs/design.md.
#pragma once
#include <torch/nn/module.h>
#include <torch/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "dino/base/metric.h"
#include "dino/base/schedule.h"
#include "dino/model/backbone.h"
#include "dino/model/tensor_bridge.h"
#include "dino/optim/param_groups.h"
#include "dino/parallel/communicator.h"

namespace dino::objectives {

enum class Role { Student, Teacher };

/** What an objective needs of a step. Data and networks make what one objective needs, for all. */
struct Needs {
  bool teacher = false;  ///< the teacher's features of the global crops
  model::Tokens student_tokens = model::Tokens::Cls;
  model::Tokens teacher_tokens = model::Tokens::Cls;
  bool masks = false;  ///< the student's global crops have the masks of the batch
  bool gram = false;   ///< the Gram teacher's features of its crops
};
/** What both need. */
Needs operator|(const Needs& a, const Needs& b);

/** What one micro-batch gives to all objectives; B images, rows crop-major (row = crop * B +
 * image). Tensors are shared: nobody writes to them. */
struct Views {
  std::int64_t images = 0;  ///< B, of this rank's micro-batch
  int part = 0, parts = 1;  ///< which of the micro-batches that make up the step
  std::uint64_t seed = 0;   ///< what is drawn at random in this step follows from it
  model::GroupFeatures
      teacher_global;   ///< of [2 B] crops, without gradient; undefined if not needed
  torch::Tensor masks;  ///< [2 B, P] bool, true = the student sees the mask token; undefined = none
  torch::Tensor masked_patches;     ///< [M] int64: the rows of [2 B * P, D] that are masked
  std::vector<float> mask_weights;  ///< [M] 1 / masked patches of the same crop
  torch::Tensor gram_patches;  ///< [2 B, G, D] the Gram teacher's, without gradient; undefined =
                               ///< not needed, or not yet: the weight of who needs them is 0
  model::GroupFeatures student_global;  ///< of [2 B] crops
  model::GroupFeatures student_local;   ///< of [V B] crops; undefined without local crops
};

/** For the heads that an objective makes. */
struct HeadContext {
  std::int64_t dim = 0;  ///< D of the backbone's features
  model::Precision precision = model::Precision::Fp32;
  torch::Generator generator;  ///< what initial weights are drawn from
  /// The heads of this network that the objectives before it have made, by name
  std::map<std::string, std::shared_ptr<torch::nn::Module>> made = {};
};

struct NamedModule {
  std::string name;  ///< below the network: "dino_head"
  std::shared_ptr<torch::nn::Module> module;
};

/** A figure of one step, on the device where it was computed: it is fetched with all others at the
 * end of the step. */
struct Scalar {
  std::string name;
  torch::Tensor value;  ///< no dimensions
};

/** For each step: targets() and loss() once for each micro-batch, in turn; then, if the step is
 * taken, commit(). Everything an objective keeps from one step to the next changes in commit() and
 * is in state(). Not thread-safe. */
class Objective {
 public:
  virtual ~Objective() = default;

  /** Of its table in a recipe, and of its figures: "loss_<name>". */
  virtual std::string_view name() const = 0;
  virtual Needs needs() const = 0;

  /** Makes the heads of one network, and keeps them for the passes. Called once for each network
   * that there is. */
  virtual std::vector<NamedModule> make_heads(Role, const HeadContext&) { return {}; }
  /** Rules for the parameters of its heads, beside those of the recipe. */
  virtual std::vector<optim::ParamRule> param_rules(const RunLength&) const { return {}; }
  /** Its scheduled values by name, for the log and for the two functions below. */
  virtual Curves curves(const RunLength&) const { return {}; }

  /** What the loss compares with, from the teacher's features; the student's are not there yet.
   * Runs without gradients. */
  virtual void targets(const Views&, const Scheduled&, parallel::Communicator&) {}
  /** The unweighted loss of this micro-batch, a mean over its images: fp32 without dimensions,
   * differentiable in the student's features. */
  virtual torch::Tensor loss(const Views& views, const Scheduled& now) = 0;
  /** Ends a step that was taken: centers, queues. `communicator` joins what each rank has seen. */
  virtual void commit(const Scheduled&, parallel::Communicator&) {}

  /** What is saved and restored in place, beside the heads. */
  virtual std::vector<model::NamedTensor> state() const { return {}; }
  /** Its figures of the last step, means over the micro-batches; its loss is reported by the step.
   */
  virtual std::vector<Scalar> figures() const { return {}; }
  /** Those of its figures that a reader of the run should see, and when they mean trouble. */
  virtual std::vector<Metric> metrics() const { return {}; }
  virtual std::vector<AlarmRule> alarms() const { return {}; }
};

}  // namespace dino::objectives
