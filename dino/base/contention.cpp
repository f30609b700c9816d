#include "dino/base/contention.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <string>
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

std::optional<double> seconds_of_others(const fs::path& stat) {
  std::ifstream file(stat);
  std::string name;
  std::int64_t user = 0, nice = 0, system = 0, idle = 0, disk = 0, interrupts = 0, soft = 0;
  if (!(file >> name >> user >> nice >> system >> idle >> disk >> interrupts >> soft) ||
      name != "cpu")
    return std::nullopt;
  const auto ticks = static_cast<double>(user + nice + system + interrupts + soft);
  rusage own{};
  getrusage(RUSAGE_SELF, &own);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
  };
  return ticks / static_cast<double>(sysconf(_SC_CLK_TCK)) - seconds(own.ru_utime) -
         seconds(own.ru_stime);
}

bool Contention::update(const Load& load) {
  if (left_ > 0) return --left_ > 0;
  if (load.waited < kMuch.waited || load.others < kMuch.others) {
    patience_ = kShortest;
    return false;
  }
  left_ = patience_;
  patience_ = std::min(2 * patience_, kLongest);
  return true;
}

}  // namespace dino
