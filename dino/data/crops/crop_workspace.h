// What making crops needs beside the image: memory kept from view to view, and a clock if wanted.
#pragma once
#include <chrono>
#include <type_traits>

#include "dino/image/image.h"
#include "dino/image/pixels/workspace.h"
#include "dino/image/planes.h"

namespace dino::data {

/** Seconds of one thread spent in each stage of making views, summed. */
struct StageSeconds {
  double decode = 0;  ///< bytes of the file -> pixels
  double crop = 0;    ///< cut and resize
  double color = 0;   ///< jitter, gray, solarize
  double blur = 0;
  double normalize = 0;  ///< mirror, normalize, write to the batch
  double total() const { return decode + crop + color + blur + normalize; }
  StageSeconds& operator+=(const StageSeconds& other) { return add(other, 1); }
  StageSeconds& operator-=(const StageSeconds& other) { return add(other, -1); }

 private:
  StageSeconds& add(const StageSeconds& other, double sign) {
    decode += sign * other.decode;
    crop += sign * other.crop;
    color += sign * other.color;
    blur += sign * other.blur;
    normalize += sign * other.normalize;
    return *this;
  }
};

/** Images in the making; Pixels is image::Image or image::Planes. */
template <typename Pixels>
struct CropRoom {
  Pixels piece;     ///< room of one step
  Pixels views[2];  ///< the global crops, and after them the local ones
  Pixels shared;    ///< the whole image in colors that all its crops share
};

/** One per thread. */
struct CropWorkspace {
  image::Workspace pixels;
  CropRoom<image::Image> bytes;
  CropRoom<image::Planes> planes;
  StageSeconds* seconds = nullptr;  ///< added to, if there is one

  template <typename Pixels>
  CropRoom<Pixels>& room() {
    if constexpr (std::is_same_v<Pixels, image::Image>)
      return bytes;
    else
      return planes;
  }
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
