#include "dino/objectives/prototypes.h"

#include <torch/types.h>

#include <utility>

#include "dino/loss/centering.h"
#include "dino/loss/sinkhorn.h"

namespace dino::objectives {
namespace {

constexpr int kSinkhornRounds = 3;  // DINOv2's

/** The first micro-batch begins a sum. */
void add(torch::Tensor& sum, const torch::Tensor& value, int part) {
  sum = part == 0 ? value : sum + value;
}

}  // namespace

std::shared_ptr<model::DinoHead> make_head(const recipe::Head& options,
                                           const HeadContext& context) {
  auto head =
      std::make_shared<model::DinoHead>(context.dim,
                                        model::DinoHeadOptions{.prototypes = options.prototypes,
                                                               .layers = options.layers,
                                                               .hidden = options.hidden,
                                                               .bottleneck = options.bottleneck,
                                                               .batch_norm = options.batch_norm,
                                                               .weight_norm = options.weight_norm},
                                        context.generator);
  head->set_precision(context.precision);
  return head;
}

std::vector<optim::ParamRule> head_rules(const std::string& name, const recipe::Head& head,
                                         const recipe::Optim& optim, const RunLength& length) {
  const std::int64_t until = length.iterations(optim.freeze_last_layer_epochs);
  optim::ParamRule frozen{.names = name + ".last_layer.*"};
  (optim.freeze_by == "rate" ? frozen.still_until : frozen.frozen_until) = until;
  std::vector<optim::ParamRule> rules = {std::move(frozen)};
  if (head.weight_norm && head.norm_last_layer)
    rules.push_back({.names = name + ".last_layer.weight_g", .frozen_until = optim::kAlways});
  return rules;
}

TeacherTargets::TeacherTargets(const recipe::Dino& options, std::int64_t prototypes)
    : sinkhorn_(options.centering == "sinkhorn_knopp"),
      momentum_(options.center_momentum),
      center_(torch::zeros({prototypes})) {}

torch::Tensor TeacherTargets::of(const torch::Tensor& logits, double temperature, int part,
                                 int parts, parallel::Communicator& ranks) {
  const auto targets = sinkhorn_ ? loss::sinkhorn_knopp(logits, temperature, kSinkhornRounds, ranks)
                                 : loss::center_and_sharpen(logits, center_, temperature);
  // A micro-batch without rows leaves the center where it is.
  add(mean_logits_,
      (logits.size(0) > 0 ? logits.mean(0, /*keepdim=*/false, torch::kFloat32) : center_) / parts,
      part);
  add(entropy_, targets.entropy / parts, part);
  return targets.probabilities;
}

void TeacherTargets::commit(parallel::Communicator& ranks) {
  ranks.mean({&mean_logits_, 1});
  loss::update_center(center_, mean_logits_, momentum_);
}

}  // namespace dino::objectives
