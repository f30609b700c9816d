#include "dino/data/loading/measure.h"

#include <chrono>

#include "dino/image/pixels/kernels.h"

namespace dino::data {

DataSpeed measure_loader(const Dataset& dataset, const MultiCropOptions& crops,
                         const LoaderOptions& options, double seconds) {
  using Clock = std::chrono::steady_clock;
  Loader loader(dataset, crops, options);
  loader.recycle(loader.next());
  const LoaderStats before = loader.stats();
  const Clock::time_point start = Clock::now();
  DataSpeed speed;
  speed.kernels = image::kernels().name;
  do {
    loader.recycle(loader.next());
    speed.seconds = std::chrono::duration<double>(Clock::now() - start).count();
  } while (speed.seconds < seconds);
  const LoaderStats after = loader.stats();
  speed.images = after.images - before.images;
  speed.busy_seconds = after.busy_seconds - before.busy_seconds;
  speed.stages = after.stages;
  speed.stages -= before.stages;
  return speed;
}

}  // namespace dino::data
