// Measures how fast this machine makes crops, and how the time is divided between the stages.
#pragma once
#include <string>

#include "dino/data/loading/loader.h"

namespace dino::data {

struct DataSpeed {
  std::int64_t images = 0;
  double seconds = 0;       ///< wall-clock time
  double busy_seconds = 0;  ///< time of all workers, summed
  StageSeconds stages;      ///< busy_seconds by stage
  std::string kernels;      ///< instruction set of the pixel work
  double images_per_second() const { return static_cast<double>(images) / seconds; }
};

/** Makes batches for about `seconds`, after a first one that is not counted, and discards them at
 * once, so that the workers never wait. Throws the loader's errors. */
DataSpeed measure_loader(const Dataset& dataset, const MultiCropOptions& crops,
                         const LoaderOptions& options, double seconds);

}  // namespace dino::data
