// What the objectives over prototypes have in common: a head of [head]'s kind with the rules for
// its parameters, and the way from a teacher's logits to what a student is asked to predict.
#pragma once
#include <torch/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "dino/model/dino_head.h"
#include "dino/objectives/objective.h"
#include "dino/parallel/communicator.h"
#include "dino/recipe/recipe.h"

namespace dino::objectives {

std::shared_ptr<model::DinoHead> make_head(const recipe::Head& options, const HeadContext& context);

/** Of a head that the network calls `name`: its last layer is frozen at the start, in the way that
 * [optim] says, and the gain of the last layer always if [head] says so. */
std::vector<optim::ParamRule> head_rules(const std::string& name, const recipe::Head& head,
                                         const recipe::Optim& optim, const RunLength& length);

/** A teacher's targets by centering and sharpening (DINO) or by Sinkhorn-Knopp (DINOv2), and how
 * sure it was. Not thread-safe. */
class TeacherTargets {
 public:
  TeacherTargets(const recipe::Dino& options, std::int64_t prototypes);

  /** Probabilities [R, K] fp32 for the logits [R, K] of micro-batch `part` of `parts`; R may be 0.
   * Every rank must call it. */
  torch::Tensor of(const torch::Tensor& logits, double temperature, int part, int parts,
                   parallel::Communicator& ranks);
  /** Ends a step: the running mean takes in the logits of all ranks. */
  void commit(parallel::Communicator& ranks);

  /** [K] fp32: the running mean of the logits, which is state. */
  const torch::Tensor& center() const { return center_; }
  /** fp64 without dimensions: mean entropy of this step's targets, nats. */
  const torch::Tensor& entropy() const { return entropy_; }

 private:
  bool sinkhorn_;
  double momentum_;
  torch::Tensor center_;       // [K] fp32
  torch::Tensor mean_logits_;  // [K] fp32, of this step
  torch::Tensor entropy_;      // fp64, of this step
};

}  // namespace dino::objectives
