// Scratch memory for making crops, reused between views, and optional timing of the stages.
#pragma once
#include <chrono>
#include <type_traits>

#include "dino/image/image.h"
#include "dino/image/pixels/workspace.h"
#include "dino/image/planes.h"

namespace dino::data {

/** Thread time spent in each stage of making views, in seconds. */
struct StageSeconds {
  double decode = 0;  ///< decoding the file
  double crop = 0;    ///< cutting and resizing
  double color = 0;   ///< jitter, grayscale, solarize
  double blur = 0;
  double normalize = 0;  ///< mirroring, normalization and writing to the batch
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

/** Intermediate images; Pixels is image::Image or image::Planes. */
template <typename Pixels>
struct CropRoom {
  Pixels piece;     ///< scratch of one step, reused by the next
  Pixels views[2];  ///< the views being made: first the global crops, then the local ones
  Pixels shared;    ///< the whole image after shared_jitter
};

/** Scratch memory of one thread. Not thread-safe. */
struct CropWorkspace {
  image::Workspace pixels;
  CropRoom<image::Image> bytes;
  CropRoom<image::Planes> planes;
  StageSeconds* seconds = nullptr;  ///< if not null, times are added to it

  template <typename Pixels>
  CropRoom<Pixels>& room() {
    if constexpr (std::is_same_v<Pixels, image::Image>)
      return bytes;
    else
      return planes;
  }
};

/** Adds the time between its construction and destruction to `*sum`, unless that is null. */
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

/** A stopwatch for one stage: timed(workspace, &StageSeconds::blur). */
inline Stopwatch timed(const CropWorkspace& workspace, double StageSeconds::*stage) {
  return Stopwatch(workspace.seconds ? &(workspace.seconds->*stage) : nullptr);
}

}  // namespace dino::data
