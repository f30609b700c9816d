#include "dino/recipe/curves.h"

#include <cmath>

namespace dino::recipe {
namespace {

/** What the rate is multiplied by for the recipe's batch: the linear rule of DINO, or the square
 * root of DINOv2 and DINOv3. */
double lr_scale(const Recipe& recipe) {
  if (recipe.optim.lr_reference_batch == 0) return 1;
  const double ratio =
      static_cast<double>(recipe.train.batch_size) / recipe.optim.lr_reference_batch;
  return recipe.optim.lr_rule == "sqrt" ? std::sqrt(ratio) : ratio;
}

Curve lr_curve(const Recipe& recipe, const RunLength& length) {
  const Optim& optim = recipe.optim;
  const double peak = optim.lr * lr_scale(recipe);
  const std::int64_t warmup = length.iterations(optim.warmup_epochs);
  if (optim.lr_curve == "constant")
    return {WarmupCosineConstant{.start = 0, .peak = peak, .end = peak, .warmup = warmup}};
  if (optim.lr_curve == "ramp")
    return {WarmupCosineConstant{.start = 0, .peak = 0, .end = peak, .cosine = warmup}};
  return {CosineSchedule{.start = 0,
                         .base = peak,
                         .end = optim.min_lr,
                         .warmup = warmup,
                         .iterations = length.iterations(length.epochs)}};
}

}  // namespace

Curves optimizer_curves(const Recipe& recipe, const RunLength& length) {
  const Optim& optim = recipe.optim;
  const std::int64_t total = length.iterations(length.epochs);
  return {{"lr", lr_curve(recipe, length)},
          {"weight_decay",
           {CosineSchedule{
               .base = optim.weight_decay, .end = optim.weight_decay_end, .iterations = total}}},
          {"momentum",
           {CosineSchedule{
               .base = optim.ema_momentum, .end = optim.ema_momentum_end, .iterations = total}}}};
}

}  // namespace dino::recipe
