#include "dino/recipe/fit_to_time.h"

#include <algorithm>
#include <cmath>

namespace dino::recipe {
namespace {

/** Seconds of one image in a k-NN: one forward pass of one crop, where a step has two with
 * gradients and two without, and the local ones; loading it is the same work. */
double feature_seconds(const Speed& speed, const Recipe& recipe) {
  constexpr double kWithBackward = 3, kGlobals = 2;
  const double local = static_cast<double>(recipe.crops.local_size) / recipe.crops.global_size;
  const double passes =
      kGlobals + kWithBackward * (kGlobals + recipe.crops.local_count * local * local);
  return speed.step / passes + speed.load;
}

/** After training: two networks and raw pixels, queries as they are and shifted; the report's
 * neighbors and pictures. */
double final_images(std::int64_t images, const Recipe& r) {
  constexpr double kPictures = 100;
  const auto gallery = static_cast<double>(std::min(images, r.knn.gallery));
  if (r.knn.train.empty()) return gallery + kPictures;
  const double queries = static_cast<double>(r.knn.slice) * (r.knn.shift_px > 0 ? 2 : 1);
  return 3 * (gallery + queries) + gallery + kPictures;
}

/** Three digits: the recipe is read by people. Downwards. */
double rounded_down(double value) {
  const double unit = std::pow(10.0, std::floor(std::log10(value)) - 2);
  return std::max(std::floor(value / unit + 1e-9) * unit, 1e-6);
}

/** `value` written with four digits after the point. */
double digits(double value) {
  return std::round(value * 1e4) / 1e4;
}

}  // namespace

double steps_of(std::int64_t images, const Recipe& recipe) {
  const std::int64_t per_epoch = std::max<std::int64_t>(1, images / recipe.train.batch_size);
  return recipe.train.epochs * static_cast<double>(per_epoch);
}

TimePlan fit_to_time(std::int64_t images, const Speed& speed, double seconds, Recipe& r) {
  constexpr double kEvaluationShare = 0.15, kFigures = 10;
  constexpr double kReserve = 0.04;  // of the time: what measuring a few steps does not see
  TimePlan plan;
  const double feature = feature_seconds(speed, r);
  // Fewer images are compared where their share of the time would be large.
  while (r.knn.gallery > 200 &&
         final_images(images, r) * feature > 0.5 * kEvaluationShare * seconds) {
    r.knn.gallery /= 2;
    r.knn.slice = std::max<std::int64_t>(std::min<std::int64_t>(r.knn.slice, 50), r.knn.slice / 2);
  }
  const double last = final_images(images, r) * feature;
  const double figure =
      r.knn.train.empty()
          ? 0
          : feature * static_cast<double>(std::min(images, r.knn.gallery) + r.knn.slice);
  const double figures =
      figure > 0 ? std::clamp((kEvaluationShare * seconds - last) / figure, 1.0, kFigures) : 0;
  plan.evaluation = last + figures * figure;
  const double step = r.train.batch_size * (speed.step + speed.load);
  plan.training = std::max((1 - kReserve) * seconds - plan.evaluation, step);
  const double per_epoch =
      static_cast<double>(std::max<std::int64_t>(1, images / r.train.batch_size));
  r.train.epochs = std::clamp(rounded_down(plan.training / (step * per_epoch)), 1e-6, 1e6);
  r.optim.warmup_epochs = digits(0.05 * r.train.epochs);
  r.optim.freeze_last_layer_epochs = digits(0.01 * r.train.epochs);
  // A run that a busy machine slows down ends in time all the same.
  r.train.max_minutes = std::max(digits((seconds - last) / 60), 0.01);
  if (figures > 0)
    r.knn.every_epochs =
        std::clamp(static_cast<int>(std::ceil(r.train.epochs / figures)), 1, 1'000'000);
  return plan;
}

}  // namespace dino::recipe
