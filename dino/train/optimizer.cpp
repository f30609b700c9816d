#include "dino/train/optimizer.h"

#include <ATen/Parallel.h>
#include <torch/torch.h>

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
  const auto& kernels = cpu::kernels();
  double total = 0;
  for (std::size_t i = 0; i < slices.size(); ++i) {
    if (!groups_[i].trainable) continue;
    // Fixed pieces, summed in order: the result does not depend on the number of threads.
    const std::int64_t pieces = (slices[i].count + kGrain - 1) / kGrain;
    std::vector<double> sums(static_cast<std::size_t>(pieces));
    at::parallel_for(0, pieces, 1, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t p = first; p < last; ++p) {
        const std::int64_t begin = p * kGrain;
        sums[static_cast<std::size_t>(p)] = kernels.sum_of_squares(
            gradients + slices[i].offset + begin, std::min(kGrain, slices[i].count - begin));
      }
    });
    double squares = 0;
    for (const double sum : sums) squares += sum;
    norms_[i] = std::sqrt(squares);
    total += squares;
  }
  return std::sqrt(total);
}

void Optimizer::step(double lr, double weight_decay, bool last_layer_frozen) {
  const torch::NoGradGuard no_grad;
  for (std::size_t i = 0; i < groups_.size(); ++i) {
    const Group& group = groups_[i];
    if (!group.trainable || (group.last_layer && last_layer_frozen)) continue;
    const double clip = options_.clip_grad / (norms_[i] + 1e-6);
    const auto scale = static_cast<float>(options_.clip_grad > 0 && clip < 1.0 ? clip : 1.0);
    const double decay = group.decayed ? weight_decay : 0.0;
    if (options_.optimizer == "adamw") {
      adamw(i, lr, decay, scale);
    } else if (options_.optimizer == "sgd") {
      sgd(i, lr, decay, scale);
    } else {
      lars(i, lr, decay, scale);
    }
  }
}

void Optimizer::adamw(std::size_t slice, double lr, double weight_decay, float scale) {
  const auto& s = arena_.slices()[slice];
  const std::int64_t t = ++steps_.data_ptr<std::int64_t>()[slice];
  const auto correction = [t](double beta) {
    return static_cast<float>(1.0 - std::pow(beta, static_cast<double>(t)));
  };
  at::parallel_for(0, s.count, kGrain, [&](std::int64_t first, std::int64_t last) {
    const std::int64_t at = s.offset + first;
    cpu::kernels().adamw({.value = arena_.values().data_ptr<float>() + at,
                          .gradient = arena_.gradients().data_ptr<float>() + at,
                          .first_moment = first_moment_.data_ptr<float>() + at,
                          .second_moment = second_moment_.data_ptr<float>() + at,
                          .gradient_scale = scale,
                          .lr = static_cast<float>(lr),
                          .beta1 = static_cast<float>(options_.betas[0]),
                          .beta2 = static_cast<float>(options_.betas[1]),
                          .eps = static_cast<float>(options_.eps),
                          .weight_decay = static_cast<float>(weight_decay),
                          .bias_correction1 = correction(options_.betas[0]),
                          .bias_correction2 = correction(options_.betas[1])},
                         last - first);
  });
}

void Optimizer::sgd(std::size_t slice, double lr, double weight_decay, float scale) {
  const auto& s = arena_.slices()[slice];
  ++steps_.data_ptr<std::int64_t>()[slice];
  torch::Tensor value = arena_.values().narrow(0, s.offset, s.count);
  torch::Tensor velocity = first_moment_.narrow(0, s.offset, s.count);
  velocity.mul_(kMomentum).add_(arena_.gradients().narrow(0, s.offset, s.count), scale);
  velocity.add_(value, weight_decay);
  value.sub_(velocity, lr);
}

void Optimizer::lars(std::size_t slice, double lr, double weight_decay, float scale) {
  const auto& s = arena_.slices()[slice];
  ++steps_.data_ptr<std::int64_t>()[slice];
  torch::Tensor value = arena_.values().narrow(0, s.offset, s.count);
  torch::Tensor update = arena_.gradients().narrow(0, s.offset, s.count) * scale;
  if (s.shape.size() != 1) {
    update.add_(value, weight_decay);
    const double weight_norm = value.norm().item<double>(),
                 update_norm = update.norm().item<double>();
    if (weight_norm > 0 && update_norm > 0) update.mul_(kTrust * weight_norm / update_norm);
  }
  torch::Tensor velocity = first_moment_.narrow(0, s.offset, s.count);
  velocity.mul_(kMomentum).add_(update);
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
