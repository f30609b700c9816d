#include "dino/base/contention.h"

#include <cstdint>
#include <fstream>
#include <system_error>

namespace dino {

namespace fs = std::filesystem;

std::optional<double> seconds_waited(const fs::path& tasks) {
  std::optional<double> seconds;
  std::error_code error;
  for (fs::directory_iterator task(tasks, error), end; !error && task != end;
       task.increment(error)) {
    std::ifstream file(task->path() / "schedstat");  // nanoseconds run, nanoseconds waited, slices
    std::uint64_t run = 0, waited = 0;
    if (file >> run >> waited) seconds = seconds.value_or(0) + 1e-9 * static_cast<double>(waited);
  }
  return seconds;
}

bool Contention::update(double waited) {
  calm_ = waited < kLittle ? calm_ + 1 : 0;
  if (waited > kMuch)
    contended_ = true;
  else if (calm_ >= kCalmReadings)
    contended_ = false;
  return contended_;
}

}  // namespace dino
