#include "dino/train/optimizer.h"

#include <ATen/Parallel.h>
#include <torch/torch.h>

#include <algorithm>
#include <cmath>

#include "dino/base/error.h"
#include "dino/cpu/kernels.h"

namespace dino::train {
namespace {

constexpr double kMomentum = 0.9;           // of SGD and LARS
constexpr double kTrust = 0.001;            // LARS's eta
constexpr std::int64_t kGrain = 64 * 1024;  // floats a thread takes at least

bool ends_with(const std::string& text, std::string_view end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

}  // namespace

Optimizer::Optimizer(const recipe::Optim& options, model::ParamArena& arena,
                     std::vector<bool> trainable)
    : options_(options), arena_(arena) {
  if (options_.optimizer != "adamw" && options_.optimizer != "sgd" &&
      options_.optimizer != "lars") {
    fail(ErrorKind::Config, "[optim] optimizer \"{}\" is unknown: use adamw, sgd or lars",
         options_.optimizer);
  }
  const auto& slices = arena_.slices();
  for (std::size_t i = 0; i < slices.size(); ++i) {
    const auto& slice = slices[i];
    groups_.push_back({.trainable = trainable[i],
                       .decayed = !(ends_with(slice.name, ".bias") || slice.shape.size() == 1),
                       .last_layer = slice.name.find("last_layer") != std::string::npos});
  }
  norms_.assign(slices.size(), 0.0);
  first_moment_ = torch::zeros_like(arena_.values());
  if (options_.optimizer == "adamw") second_moment_ = torch::zeros_like(arena_.values());
  steps_ = torch::zeros({static_cast<std::int64_t>(slices.size())}, torch::kInt64);
}

double Optimizer::measure_gradients() {
  const auto& slices = arena_.slices();
  const float* gradients = arena_.gradients().data_ptr<float>();
  // Fixed pieces, summed in order: the result does not depend on the number of threads.
  struct Piece {
    std::size_t slice;
    std::int64_t begin, count;
    double squares;
  };
  std::vector<Piece> pieces;
  for (std::size_t i = 0; i < slices.size(); ++i) {
    if (!groups_[i].trainable) continue;
    for (std::int64_t begin = 0; begin < slices[i].count; begin += kGrain)
      pieces.push_back({i, slices[i].offset + begin, std::min(kGrain, slices[i].count - begin), 0});
  }
  const auto count = static_cast<std::int64_t>(pieces.size());
  at::parallel_for(0, count, 1, [&](std::int64_t first, std::int64_t last) {
    for (auto p = static_cast<std::size_t>(first); p < static_cast<std::size_t>(last); ++p)
      pieces[p].squares =
          cpu::kernels().sum_of_squares(gradients + pieces[p].begin, pieces[p].count);
  });
  std::ranges::fill(norms_, 0.0);
  double total = 0;
  for (const Piece& piece : pieces) {
    norms_[piece.slice] += piece.squares;
    total += piece.squares;
  }
  for (double& norm : norms_) norm = std::sqrt(norm);
  return std::sqrt(total);
}

void Optimizer::step(double lr, double weight_decay, bool last_layer_frozen) {
  const torch::NoGradGuard no_grad;
  std::vector<Update> updates;
  for (std::size_t i = 0; i < groups_.size(); ++i) {
    const Group& group = groups_[i];
    if (!group.trainable || (group.last_layer && last_layer_frozen)) continue;
    const double clip = options_.clip_grad / (norms_[i] + 1e-6);
    updates.push_back({.slice = i,
                       .weight_decay = group.decayed ? weight_decay : 0.0,
                       .scale = options_.clip_grad > 0 && clip < 1.0 ? clip : 1.0,
                       .steps = ++steps_.data_ptr<std::int64_t>()[i]});
  }
  if (options_.optimizer == "adamw") {
    adamw(updates, lr);
  } else {
    for (const Update& update : updates)
      options_.optimizer == "sgd" ? sgd(update, lr) : lars(update, lr);
  }
}

// One loop over the arena: most slices are too small to be worth a second thread of their own.
void Optimizer::adamw(const std::vector<Update>& updates, double lr) {
  const auto correction = [](double beta, std::int64_t steps) {
    return static_cast<float>(1.0 - std::pow(beta, static_cast<double>(steps)));
  };
  at::parallel_for(0, arena_.values().numel(), kGrain, [&](std::int64_t first, std::int64_t last) {
    for (const Update& update : updates) {
      const auto& slice = arena_.slices()[update.slice];
      const std::int64_t begin = std::max(first, slice.offset);
      const std::int64_t end = std::min(last, slice.offset + slice.count);
      if (begin >= end) continue;
      cpu::kernels().adamw({.value = arena_.values().data_ptr<float>() + begin,
                            .gradient = arena_.gradients().data_ptr<float>() + begin,
                            .first_moment = first_moment_.data_ptr<float>() + begin,
                            .second_moment = second_moment_.data_ptr<float>() + begin,
                            .gradient_scale = static_cast<float>(update.scale),
                            .lr = static_cast<float>(lr),
                            .beta1 = static_cast<float>(options_.betas[0]),
                            .beta2 = static_cast<float>(options_.betas[1]),
                            .eps = static_cast<float>(options_.eps),
                            .weight_decay = static_cast<float>(update.weight_decay),
                            .bias_correction1 = correction(options_.betas[0], update.steps),
                            .bias_correction2 = correction(options_.betas[1], update.steps)},
                           end - begin);
    }
  });
}

void Optimizer::sgd(const Update& update, double lr) {
  const auto& s = arena_.slices()[update.slice];
  torch::Tensor value = arena_.values().narrow(0, s.offset, s.count);
  torch::Tensor velocity = first_moment_.narrow(0, s.offset, s.count);
  velocity.mul_(kMomentum).add_(arena_.gradients().narrow(0, s.offset, s.count), update.scale);
  velocity.add_(value, update.weight_decay);
  value.sub_(velocity, lr);
}

void Optimizer::lars(const Update& update, double lr) {
  const auto& s = arena_.slices()[update.slice];
  torch::Tensor value = arena_.values().narrow(0, s.offset, s.count);
  torch::Tensor change = arena_.gradients().narrow(0, s.offset, s.count) * update.scale;
  if (s.shape.size() != 1) {
    change.add_(value, update.weight_decay);
    const double value_norm = value.norm().item<double>(),
                 change_norm = change.norm().item<double>();
    if (value_norm > 0 && change_norm > 0) change.mul_(kTrust * value_norm / change_norm);
  }
  torch::Tensor velocity = first_moment_.narrow(0, s.offset, s.count);
  velocity.mul_(kMomentum).add_(change);
  value.sub_(velocity, lr);
}

std::vector<StateSlot> Optimizer::slots() const {
  std::vector<StateSlot> slots;
  const auto add_moment = [&](const char* kind, const torch::Tensor& moment) {
    for (const auto& s : arena_.slices()) {
      slots.push_back({fmt::format("optimizer.{}.{}", kind, s.name), s.shape, format::DType::F32,
                       moment.data_ptr<float>() + s.offset});
    }
  };
  add_moment("first_moment", first_moment_);
  if (second_moment_.defined()) add_moment("second_moment", second_moment_);
  slots.push_back(
      {"optimizer.steps", {steps_.size(0)}, format::DType::I64, steps_.data_ptr<std::int64_t>()});
  return slots;
}

}  // namespace dino::train
