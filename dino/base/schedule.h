// Schedules: curves over iterations, as in DINO's utils.cosine_scheduler and DINOv3's schedule
// blocks. A schedule is a few numbers and can be evaluated at any iteration, so it has no state to
// save.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <variant>

namespace dino {

/** DINO and DINOv2: linear warm-up that *includes* its end point (reached at warmup-1 and again at
 * warmup), then a half cosine to `end`, never quite reached; iterations past the total give `end`.
 */
struct CosineSchedule {
  double start = 0;             ///< value at iteration 0 when warmup > 0
  double base = 0;              ///< value after warm-up
  double end = 0;               ///< value approached at the last iteration
  std::int64_t warmup = 0;      ///< warm-up iterations
  std::int64_t iterations = 1;  ///< total, warm-up included
  double at(std::int64_t iteration) const;
};

/** DINOv3 `schedules` block: linear warm-up that *excludes* its end point, then a half cosine from
 * peak to end that includes both ends over `cosine` iterations, then constant `end`. */
struct WarmupCosineConstant {
  double start = 0, peak = 0, end = 0;
  std::int64_t warmup = 0, cosine = 0;
  double at(std::int64_t iteration) const;
};

/** DINO's teacher temperature: linear from start to end over warmup steps (end included), then end.
 * The caller decides whether a step is an epoch (DINO) or an iteration (DINOv2/v3). */
struct LinearWarmup {
  double start = 0, end = 0;
  std::int64_t warmup = 0;
  double at(std::int64_t step) const;
};

/** One of the curves above, or a constant. */
struct Curve {
  std::variant<double, CosineSchedule, WarmupCosineConstant, LinearWarmup> shape = 0.0;
  std::int64_t stride = 1;  ///< iterations that count as one step of the shape: those of an epoch
                            ///< for curves that change once an epoch
  double at(std::int64_t iteration) const;
};

/** The curves of a run by name: "lr", "weight_decay", "momentum", "teacher_temperature", ... */
using Curves = std::map<std::string, Curve>;
/** Their values at one iteration. */
using Scheduled = std::map<std::string, double>;
Scheduled evaluate(const Curves& curves, std::int64_t iteration);

/** How long a run is: what turns a recipe's epochs into iterations. */
struct RunLength {
  double epochs = 1;
  std::int64_t iterations_per_epoch = 1;
  /** Iterations in `count` epochs, rounded. */
  std::int64_t iterations(double count) const;
  /** Iterations of the run, at least 1. */
  std::int64_t total() const;
};

}  // namespace dino
