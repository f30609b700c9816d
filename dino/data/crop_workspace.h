// What making crops needs beside the image: memory kept from view to view, and a clock if wanted.
#pragma once
#include <chrono>

#include "dino/image/image.h"
#include "dino/image/workspace.h"

namespace dino::data {

/** Seconds of one thread spent in each stage of making views, summed. */
struct StageSeconds {
  double decode = 0;  ///< bytes of the file -> pixels
  double crop = 0;    ///< cut and resize
  double colour = 0;  ///< jitter, grey, solarise
  double blur = 0;
  double normalize = 0;  ///< mirror, normalise, write to the batch
  double total() const { return decode + crop + colour + blur + normalize; }
  StageSeconds& operator+=(const StageSeconds& other) { return add(other, 1); }
  StageSeconds& operator-=(const StageSeconds& other) { return add(other, -1); }

 private:
  StageSeconds& add(const StageSeconds& other, double sign) {
    decode += sign * other.decode;
    crop += sign * other.crop;
    colour += sign * other.colour;
    blur += sign * other.blur;
    normalize += sign * other.normalize;
    return *this;
  }
};

/** One per thread. */
struct CropWorkspace {
  image::Workspace pixels;
  image::Image piece;     ///< room of one step
  image::Image views[2];  ///< the global crops in the making, and after them the local ones
  image::Image shared;    ///< the whole image in colours that all its crops share
  StageSeconds* seconds = nullptr;  ///< added to, if there is one
};

/** Adds the time it lives to `*sum`, if there is a sum. */
class Stopwatch {
 public:
  using Clock = std::chrono::steady_clock;
  explicit Stopwatch(double* sum) : sum_(sum) {
    if (sum_) start_ = Clock::now();
  }
  ~Stopwatch() {
    if (sum_) *sum_ += std::chrono::duration<double>(Clock::now() - start_).count();
  }
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;

 private:
  double* sum_;
  Clock::time_point start_;
};

/** The stopwatch of one stage: timed(workspace, &StageSeconds::blur). */
inline Stopwatch timed(const CropWorkspace& workspace, double StageSeconds::*stage) {
  return Stopwatch(workspace.seconds ? &(workspace.seconds->*stage) : nullptr);
}

}  // namespace dino::data
