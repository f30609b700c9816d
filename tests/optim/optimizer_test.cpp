// Whole courses of each algorithm on tensors of every kind, against torch::optim and against the
// published formulas in double precision.
#include "dino/optim/optimizer.h"

#include <gtest/gtest.h>
#include <torch/nn/module.h>
#include <torch/optim/adamw.h>
#include <torch/optim/sgd.h>
#include <torch/types.h>

#include <cmath>
#include <functional>

#include "dino/base/error.h"
#include "dino/optim/flat_ops.h"

namespace dino::optim {
namespace {

/** A matrix, a vector, a long tensor that several threads share, and one of a single element. */
struct Module : torch::nn::Module {
  Module() {
    const auto generator = at::make_generator<at::CPUGeneratorImpl>(3);
    for (const auto& [name, shape] :
         {std::pair<std::string, std::vector<std::int64_t>>{"matrix", {7, 5}},
          {"vector", {11}},
          {"long", {3, 60'001}},
          {"one", {1, 1}}})
      register_parameter(name, torch::randn(shape, generator) + 0.3);
  }
};

constexpr int kSteps = 6;

/** Gradients of step `step`: of every magnitude, with means that are not 0. */
torch::Tensor gradient_at(int step, const torch::Tensor& like) {
  const auto generator = at::make_generator<at::CPUGeneratorImpl>(100 + step);
  return (torch::randn(like.sizes(), generator) + 0.2) * std::pow(10.0, step % 3 - 1);
}

/** Values after kSteps of our optimizer, by name. */
std::map<std::string, torch::Tensor> course(const OptimizerOptions& options,
                                            const std::vector<ParamRule>& rules,
                                            const std::function<double(int)>& lr, double decay) {
  Module module;
  model::ParamArena arena(module, /*with_gradients=*/true);
  Optimizer optimizer(options, arena, param_groups(arena.slices(), rules));
  for (int step = 0; step < kSteps; ++step) {
    for (auto& item : module.named_parameters())
      item.value().mutable_grad().copy_(gradient_at(step, item.value()));
    optimizer.measure_gradients();
    optimizer.step(lr(step), decay, step);
  }
  std::map<std::string, torch::Tensor> values;
  for (const auto& item : module.named_parameters())
    values[item.key()] = item.value().detach().clone();
  return values;
}

double lr_at(int step) {
  return 1e-2 / (1 + step);
}

template <typename Torch, typename Options>
void expect_as_torch(const OptimizerOptions& ours, Options theirs, double decay) {
  Module module;
  Torch optimizer(module.parameters(), theirs);
  for (int step = 0; step < kSteps; ++step) {
    for (auto& item : module.named_parameters())
      item.value().mutable_grad() = gradient_at(step, item.value());
    for (auto& group : optimizer.param_groups())
      static_cast<Options&>(group.options()).lr(lr_at(step));
    optimizer.step();
  }
  const auto actual = course(ours, {}, lr_at, decay);
  for (const auto& item : module.named_parameters())
    EXPECT_TRUE(torch::allclose(actual.at(item.key()), item.value(), 1e-5, 1e-6)) << item.key();
}

TEST(Optimizer, AdamWIsTorchs) {
  expect_as_torch<torch::optim::AdamW>(
      {.algorithm = Algorithm::AdamW, .betas = {0.8, 0.95}, .eps = 1e-6},
      torch::optim::AdamWOptions().betas({0.8, 0.95}).eps(1e-6).weight_decay(0.3), 0.3);
}

TEST(Optimizer, SgdIsTorchs) {
  expect_as_torch<torch::optim::SGD>(
      {.algorithm = Algorithm::Sgd},
      torch::optim::SGDOptions(1e-2).momentum(0.9).weight_decay(0.05), 0.05);
}

// LARS as the DINO repository has it (utils.py): for a matrix g <- g + wd p, g <- 0.001 |p| / |g|
// g; v <- 0.9 v + g; p <- p - lr v; a vector has neither decay nor trust ratio.
TEST(Optimizer, LarsIsTheReferences) {
  constexpr double kDecay = 0.05;
  const auto lr = [](int step) { return 3 * lr_at(step); };
  const auto actual = course({.algorithm = Algorithm::Lars}, {}, lr, kDecay);
  Module module;
  const torch::NoGradGuard no_grad;
  for (const auto& item : module.named_parameters()) {
    torch::Tensor p = item.value().detach().to(torch::kFloat64), v = torch::zeros_like(p);
    for (int step = 0; step < kSteps; ++step) {
      torch::Tensor g = gradient_at(step, item.value()).to(torch::kFloat64);
      if (p.dim() != 1) {
        g = g + kDecay * p;
        g = g * (0.001 * p.norm() / g.norm());
      }
      v = 0.9 * v + g;
      p = p - lr(step) * v;
    }
    EXPECT_TRUE(torch::allclose(actual.at(item.key()).to(torch::kFloat64), p, 1e-5, 1e-6))
        << item.key();
  }
}

TEST(Optimizer, LarsMovesWhatIsZero) {
  Module module;
  model::ParamArena arena(module, true);
  arena.values().zero_();
  Optimizer optimizer({.algorithm = Algorithm::Lars}, arena, param_groups(arena.slices(), {}));
  arena.gradients().fill_(1);
  optimizer.measure_gradients();
  optimizer.step(0.5, 0.1, 0);
  for (const auto& item : module.named_parameters())
    EXPECT_TRUE(torch::allclose(item.value(), torch::full_like(item.value(), -0.5))) << item.key();
}

TEST(Optimizer, RulesScaleFreezeAndSpareFromDecay) {
  const std::vector<ParamRule> rules = {{.names = "matrix", .lr_scale = 0.5},
                                        {.names = "vector", .decay_scale = 0},
                                        {.names = "long", .frozen_until = kSteps - 2},
                                        {.names = "one", .frozen_until = kAlways}};
  const OptimizerOptions options{.algorithm = Algorithm::AdamW};
  const auto ruled = course(options, rules, lr_at, 0.3);
  const auto half = course(
      options, {}, [](int step) { return 0.5 * lr_at(step); }, 0.3);
  const auto spared = course(options, {}, lr_at, 0);
  EXPECT_TRUE(torch::equal(ruled.at("matrix"), half.at("matrix")));
  EXPECT_TRUE(torch::equal(ruled.at("vector"), spared.at("vector")));
  const Module untouched;
  EXPECT_TRUE(torch::equal(ruled.at("one"), untouched.named_parameters()["one"]));
  // A frozen tensor has taken no step: its first one is corrected as a first step.
  Module two;
  torch::optim::AdamW late(two.parameters(), torch::optim::AdamWOptions().weight_decay(0.3));
  for (int step = kSteps - 2; step < kSteps; ++step) {
    for (auto& item : two.named_parameters())
      item.value().mutable_grad() = gradient_at(step, item.value());
    static_cast<torch::optim::AdamWOptions&>(late.param_groups()[0].options()).lr(lr_at(step));
    late.step();
  }
  EXPECT_TRUE(torch::allclose(ruled.at("long"), two.named_parameters()["long"], 1e-5, 1e-6));
}

TEST(Optimizer, ClipsEachTensorOrEachGroup) {
  for (const bool grouped : {false, true}) {
    SCOPED_TRACE(grouped);
    Module module;
    model::ParamArena arena(module, true);
    std::vector<ParamRule> rules;
    if (grouped) rules.push_back({.clip_group = "all"});
    const torch::Tensor before = arena.values().clone();
    Optimizer optimizer({.algorithm = Algorithm::Sgd, .clip = 0.7}, arena,
                        param_groups(arena.slices(), rules));
    for (auto& item : module.named_parameters())
      item.value().mutable_grad().copy_(gradient_at(1, item.value()));
    const double norm = arena.gradients().to(torch::kFloat64).norm().item<double>();
    EXPECT_NEAR(optimizer.measure_gradients(), norm, 1e-6 * norm);
    optimizer.step(1, 0, 0);
    const torch::Tensor moved = (before - arena.values()).to(torch::kFloat64);
    if (grouped) {
      EXPECT_NEAR(moved.norm().item<double>(), 0.7, 1e-4);
    } else {
      for (const auto& s : arena.slices()) {
        const double own = arena.gradients().narrow(0, s.offset, s.count).norm().item<double>();
        EXPECT_NEAR(moved.narrow(0, s.offset, s.count).norm().item<double>(), std::min(own, 0.7),
                    1e-4)
            << s.name;
      }
    }
  }
}

TEST(Optimizer, OneGradientThatIsNotFiniteShows) {
  for (const double bad : {std::nan(""), HUGE_VAL, -HUGE_VAL}) {
    Module module;
    model::ParamArena arena(module, true);
    Optimizer optimizer({}, arena, param_groups(arena.slices(), {}));
    arena.gradients().fill_(0.1);
    EXPECT_TRUE(std::isfinite(optimizer.measure_gradients()));
    module.named_parameters()["long"].mutable_grad().index_put_({2, 59'999}, bad);
    EXPECT_FALSE(std::isfinite(optimizer.measure_gradients())) << bad;
  }
}

TEST(Optimizer, UnknownNamesListTheKnown) {
  EXPECT_EQ(algorithm_from_name("lars"), Algorithm::Lars);
  try {
    algorithm_from_name("adam");
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("adamw, sgd or lars"), std::string::npos);
  }
}

// What other devices run is the oracle of the kernels.
TEST(FlatOps, KernelsEqualTensorOperations) {
  const std::vector<Stretch> stretches = {{0, 100}, {112, 70'000}, {70'112, 1}, {70'128, 0}};
  const auto noise = [](std::int64_t seed) {
    return torch::randn({70'144}, at::make_generator<at::CPUGeneratorImpl>(seed)) + 0.1;
  };
  const auto [squares, total] = sums_of_squares(noise(1), stretches);
  EXPECT_NEAR(total, squares[0] + squares[1] + squares[2] + squares[3], 1e-9 * total);
  for (std::size_t i = 0; i < stretches.size(); ++i) {
    const double expected = noise(1)
                                .narrow(0, stretches[i].offset, stretches[i].count)
                                .to(torch::kFloat64)
                                .square()
                                .sum()
                                .item<double>();
    EXPECT_NEAR(squares[i], expected, 1e-6 * (1 + expected)) << i;
  }
  const auto buffers = [&] {
    return AdamWBuffers{noise(1), noise(2), noise(3) * 0.1, noise(4).square()};
  };
  std::vector<AdamWStretch> updates;
  for (std::size_t i = 0; i < stretches.size(); ++i)
    updates.push_back({.stretch = stretches[i],
                       .gradient_scale = 0.5 + 0.1 * static_cast<double>(i),
                       .lr = 0.01,
                       .weight_decay = 0.1 * static_cast<double>(i),
                       .steps = 3 + static_cast<std::int64_t>(i)});
  const AdamWBuffers kernel = buffers(), plain = buffers();
  adamw(kernel, updates, {0.9, 0.99}, 1e-8);
  adamw_by_tensors(plain, updates, {0.9, 0.99}, 1e-8);
  EXPECT_TRUE(torch::allclose(kernel.values, plain.values, 1e-5, 1e-6));
  EXPECT_TRUE(torch::allclose(kernel.first_moment, plain.first_moment, 1e-5, 1e-7));
  EXPECT_TRUE(torch::allclose(kernel.second_moment, plain.second_moment, 1e-5, 1e-7));
  EXPECT_TRUE(torch::equal(kernel.values.narrow(0, 100, 12), noise(1).narrow(0, 100, 12)))
      << "between the stretches";

  torch::Tensor average = noise(5);
  moving_average(average, noise(6), 0.75);
  EXPECT_TRUE(torch::allclose(average, noise(5) * 0.75 + noise(6) * 0.25, 1e-6, 1e-7));
}

}  // namespace
}  // namespace dino::optim
