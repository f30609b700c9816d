// How fast crops are made on this machine, and where the time goes.
#pragma once
#include <string>

#include "dino/data/loading/loader.h"

namespace dino::data {

struct DataSpeed {
  std::int64_t images = 0;
  double seconds = 0;       ///< of the clock
  double busy_seconds = 0;  ///< of the workers, summed
  StageSeconds stages;      ///< what of it was spent where
  std::string kernels;      ///< instruction set of the pixel work
  double images_per_second() const { return static_cast<double>(images) / seconds; }
};

/** Makes batches for about `seconds` after a first one that is not counted. Nobody consumes them,
 * so the workers are never held up. Throws what the loader throws. */
DataSpeed measure_loader(const Dataset& dataset, const MultiCropOptions& crops,
                         const LoaderOptions& options, double seconds);

}  // namespace dino::data
