// The curves of schedule.h, with numpy.linspace's arithmetic so that values agree with the
// references to the last bits.
#include "dino/base/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace dino {
namespace {

/** Element i of numpy.linspace(start, end, count): the end is included and exact; a single point is
 * the start. */
double linspace(double start, double end, std::int64_t count, std::int64_t i) {
  if (count < 2) return start;
  if (i == count - 1) return end;
  return static_cast<double>(i) * ((end - start) / static_cast<double>(count - 1)) + start;
}

/** Half a cosine from `from` at angle 0 to `to` at angle pi. */
double half_cosine(double from, double to, double angle) {
  return to + 0.5 * (from - to) * (1.0 + std::cos(angle));
}

}  // namespace

double CosineSchedule::at(std::int64_t iteration) const {
  if (iteration >= iterations) return end;
  if (iteration < warmup) return linspace(start, base, warmup, iteration);
  const auto done = static_cast<double>(iteration - warmup);
  return half_cosine(base, end, std::numbers::pi * done / static_cast<double>(iterations - warmup));
}

double WarmupCosineConstant::at(std::int64_t iteration) const {
  if (iteration < warmup) {
    const double step = (peak - start) / static_cast<double>(warmup);
    return start + step * static_cast<double>(iteration);
  }
  if (iteration >= warmup + cosine) return end;
  return half_cosine(peak, end, linspace(0.0, std::numbers::pi, cosine, iteration - warmup));
}

double LinearWarmup::at(std::int64_t step) const {
  return step < warmup ? linspace(start, end, warmup, step) : end;
}

double Curve::at(std::int64_t iteration) const {
  const std::int64_t step = iteration / stride;
  if (const double* constant = std::get_if<double>(&shape)) return *constant;
  if (const auto* cosine = std::get_if<CosineSchedule>(&shape)) return cosine->at(step);
  if (const auto* warmup = std::get_if<LinearWarmup>(&shape)) return warmup->at(step);
  return std::get<WarmupCosineConstant>(shape).at(step);
}

Scheduled evaluate(const Curves& curves, std::int64_t iteration) {
  Scheduled values;
  for (const auto& [name, curve] : curves) values[name] = curve.at(iteration);
  return values;
}

std::int64_t RunLength::iterations(double count) const {
  return std::llround(count * static_cast<double>(iterations_per_epoch));
}

std::int64_t RunLength::total() const {
  return std::max<std::int64_t>(1, iterations(epochs));
}

}  // namespace dino
