#include "cli/torch/measured_recipe.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include "dino/cpu/bf16_rule.h"
#include "dino/train/precision.h"
#include "dino/train/step_speed.h"

namespace dino::cli {
namespace {

struct StepSpeed {
  double seconds = 0;  ///< per image
  std::string precision;
};

/** Also where the rule of "auto" says fp32: instructions for bf16 may still pay. */
std::vector<std::string> precisions_to_try(const recipe::Recipe& recipe) {
  if (recipe.train.precision != "auto") return {recipe.train.precision};
  const cpu::Processor processor = cpu::Processor::here();
  if (processor.avx512_bf16 || processor.amx_bf16) return {"fp32", "bf16"};
  return {"fp32"};
}

/** Times each for about `seconds`. The mean, not the median: time that others take counts. */
StepSpeed fastest_step(const recipe::Recipe& recipe, double seconds) {
  StepSpeed best;
  for (const std::string& precision : precisions_to_try(recipe)) {
    const std::vector<double> steps =
        train::time_steps(recipe, train::resolve_precision(precision),
                          {.warmup = 3, .steps = 100, .seconds = seconds});
    const double mean =
        std::accumulate(steps.begin(), steps.end(), 0.0) / static_cast<double>(steps.size());
    const double each = mean / recipe.train.batch_size;
    if (best.precision.empty() || each < best.seconds) best = {each, precision};
  }
  return best;
}

}  // namespace

std::array<std::string, 5> measure_choice(FolderChoice& chosen) {
  constexpr double kShare = 0.01, kMost = 3, kDiffers = 1.5;
  const double seconds = std::min(kMost, kShare * chosen.seconds_left());
  StepSpeed step = fastest_step(chosen.choice.recipe, seconds);
  const double gflops = recipe::step_gflop(chosen.choice.recipe) / step.seconds;
  const double ratio = gflops / chosen.budget.gflops;
  if (ratio > kDiffers || ratio < 1 / kDiffers) {
    chosen.budget.gflops = gflops;
    const recipe::Recipe before = chosen.choice.recipe;
    chosen.choose();
    if (chosen.choice.recipe != before) step = fastest_step(chosen.choice.recipe, seconds);
  }
  const recipe::Speed speed = {.step = step.seconds, .load = chosen.load_seconds(seconds)};
  chosen.choice.recipe.train.precision = step.precision;
  chosen.choice.reasons["train.precision"] = "measured: the faster one on this machine";
  return chosen.fit(speed, fmt::format("{}, measured", step.precision));
}

}  // namespace dino::cli
