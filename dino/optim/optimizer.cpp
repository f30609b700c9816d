#include "dino/optim/optimizer.h"

#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "dino/base/error.h"
#include "dino/optim/flat_ops.h"

namespace dino::optim {
namespace {

constexpr double kMomentum = 0.9;  // of SGD and LARS
constexpr double kTrust = 0.001;   // LARS's eta

Stretch stretch_of(const model::ParamSlice& slice) {
  return {slice.offset, slice.count};
}

}  // namespace

Algorithm algorithm_from_name(std::string_view name) {
  if (name == "adamw") return Algorithm::AdamW;
  if (name == "sgd") return Algorithm::Sgd;
  if (name == "lars") return Algorithm::Lars;
  fail(ErrorKind::Config, "[optim] optimizer \"{}\" is unknown: use adamw, sgd or lars", name);
}

Optimizer::Optimizer(const OptimizerOptions& options, model::ParamArena& arena,
                     std::vector<ParamGroup> groups)
    : options_(options), arena_(arena), groups_(std::move(groups)) {
  DINO_ASSERT(groups_.size() == arena_.slices().size() && arena_.gradients().defined());
  norms_.assign(groups_.size(), 0.0);
  first_moment_ = torch::zeros_like(arena_.values());
  if (options_.algorithm == Algorithm::AdamW) second_moment_ = torch::zeros_like(arena_.values());
  steps_ = torch::zeros({static_cast<std::int64_t>(groups_.size())}, torch::kInt64);
}

double Optimizer::measure_gradients() {
  std::vector<Stretch> stretches;  // an empty one of a tensor that never changes
  for (std::size_t i = 0; i < groups_.size(); ++i)
    stretches.push_back(groups_[i].frozen_until == kAlways ? Stretch{}
                                                           : stretch_of(arena_.slices()[i]));
  const auto [squares, total] = sums_of_squares(arena_.gradients(), stretches);
  std::map<std::string, double> group_squares;
  for (std::size_t i = 0; i < groups_.size(); ++i)
    group_squares[groups_[i].clip_group] += squares[i];
  for (std::size_t i = 0; i < groups_.size(); ++i) {
    const std::string& group = groups_[i].clip_group;
    norms_[i] = std::sqrt(group.empty() ? squares[i] : group_squares[group]);
  }
  return std::sqrt(total);
}

void Optimizer::step(double lr, double weight_decay, std::int64_t iteration) {
  const torch::NoGradGuard no_grad;
  std::vector<Update> updates;
  for (std::size_t i = 0; i < groups_.size(); ++i) {
    const ParamGroup& group = groups_[i];
    if (iteration < group.frozen_until) continue;
    const double rise = std::min(1.0, static_cast<double>(iteration - group.frozen_until + 1) /
                                          static_cast<double>(group.ramp + 1));
    const double clip = options_.clip / (norms_[i] + 1e-6);
    updates.push_back({.slice = i,
                       .lr = iteration < group.still_until ? 0.0 : lr * rise * group.lr_scale,
                       .weight_decay = weight_decay * group.decay_scale,
                       .scale = options_.clip > 0 && clip < 1.0 ? clip : 1.0,
                       .steps = ++steps_.data_ptr<std::int64_t>()[i]});
  }
  if (options_.algorithm == Algorithm::AdamW) return adamw(updates);
  for (const Update& update : updates)
    options_.algorithm == Algorithm::Sgd ? sgd(update) : lars(update);
}

void Optimizer::adamw(const std::vector<Update>& updates) {
  std::vector<AdamWStretch> stretches;
  for (const Update& update : updates)
    stretches.push_back({.stretch = stretch_of(arena_.slices()[update.slice]),
                         .gradient_scale = update.scale,
                         .lr = update.lr,
                         .weight_decay = update.weight_decay,
                         .steps = update.steps});
  optim::adamw({arena_.values(), arena_.gradients(), first_moment_, second_moment_}, stretches,
               options_.betas, options_.eps);
}

void Optimizer::sgd(const Update& update) {
  const auto& s = arena_.slices()[update.slice];
  torch::Tensor value = arena_.values().narrow(0, s.offset, s.count);
  torch::Tensor velocity = first_moment_.narrow(0, s.offset, s.count);
  velocity.mul_(kMomentum).add_(arena_.gradients().narrow(0, s.offset, s.count), update.scale);
  velocity.add_(value, update.weight_decay);
  value.sub_(velocity, update.lr);
}

void Optimizer::lars(const Update& update) {
  const auto& s = arena_.slices()[update.slice];
  torch::Tensor value = arena_.values().narrow(0, s.offset, s.count);
  torch::Tensor change = arena_.gradients().narrow(0, s.offset, s.count) * update.scale;
  if (s.shape.size() != 1) {
    change.add_(value, update.weight_decay);
    // One where either norm is zero: the tensor then moves as under SGD.
    const torch::Tensor value_norm = value.norm().to(torch::kFloat64),
                        change_norm = change.norm().to(torch::kFloat64);
    change.mul_(torch::where((value_norm > 0) & (change_norm > 0),
                             kTrust * value_norm / change_norm, torch::ones_like(value_norm)));
  }
  torch::Tensor velocity = first_moment_.narrow(0, s.offset, s.count);
  velocity.mul_(kMomentum).add_(change);
  value.sub_(velocity, update.lr);
}

std::vector<model::NamedTensor> Optimizer::state() const {
  std::vector<model::NamedTensor> state;
  const auto add_moment = [&](const char* kind, const torch::Tensor& moment) {
    for (const auto& s : arena_.slices())
      state.push_back({fmt::format("optimizer.{}.{}", kind, s.name),
                       moment.narrow(0, s.offset, s.count).view(s.shape)});
  };
  add_moment("first_moment", first_moment_);
  if (second_moment_.defined()) add_moment("second_moment", second_moment_);
  state.push_back({"optimizer.steps", steps_});
  return state;
}

}  // namespace dino::optim
