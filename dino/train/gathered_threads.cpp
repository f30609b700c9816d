#include "dino/train/gathered_threads.h"

#include <sys/resource.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <string>
#include <system_error>
#include <utility>

namespace dino::train {
namespace {

constexpr double kClearlyFreer = 0.1;  // seconds of processor time, in half a second

/** Seconds that a line of /proc/stat counts as busy: user, nice, system, (idle, disk,) interrupts.
 */
double busy_seconds(std::istream& line) {
  std::int64_t user = 0, nice = 0, system = 0, idle = 0, disk = 0, interrupts = 0, soft = 0;
  line >> user >> nice >> system >> idle >> disk >> interrupts >> soft;
  return static_cast<double>(user + nice + system + interrupts + soft) /
         static_cast<double>(sysconf(_SC_CLK_TCK));
}

}  // namespace

GatheredThreads::GatheredThreads(std::vector<pid_t> threads, std::filesystem::path stat)
    : threads_(std::move(threads)), stat_(std::move(stat)) {
  if (threads_.empty() || sched_getaffinity(threads_[0], sizeof(all_), &all_) != 0 ||
      CPU_COUNT(&all_) != 2)
    return;
  possible_ = true;
  std::size_t found = 0;
  for (int i = 0; i < CPU_SETSIZE; ++i)
    if (CPU_ISSET(static_cast<std::size_t>(i), &all_)) processors_[found++] = i;
  stay_on(place_);
  last_ = used();
}

GatheredThreads::~GatheredThreads() {
  if (!possible_) return;
  // To all threads, since those that these have begun meanwhile were born where they were.
  std::error_code error;
  for (std::filesystem::directory_iterator task("/proc/self/task", error), end;
       !error && task != end; task.increment(error))
    sched_setaffinity(std::atoi(task->path().filename().c_str()), sizeof(all_), &all_);
}

void GatheredThreads::follow() {
  if (!possible_) return;
  const Used now = used();
  const auto here = static_cast<std::size_t>(place_), there = 1 - here;
  const double others_here = now.processors[here] - last_.processors[here] - (now.own - last_.own);
  const double others_there = now.processors[there] - last_.processors[there];
  if (others_there + kClearlyFreer < others_here) {
    place_ = 1 - place_;
    stay_on(place_);
  }
  last_ = now;
}

GatheredThreads::Used GatheredThreads::used() const {
  Used used;
  std::ifstream file(stat_);
  for (std::string name; file >> name && name.starts_with("cpu");) {
    for (std::size_t i = 0; i < 2; ++i)
      if (name == "cpu" + std::to_string(processors_[i])) used.processors[i] = busy_seconds(file);
    std::getline(file, name);
  }
  rusage own{};
  getrusage(RUSAGE_SELF, &own);
  used.own = static_cast<double>(own.ru_utime.tv_sec + own.ru_stime.tv_sec) +
             1e-6 * static_cast<double>(own.ru_utime.tv_usec + own.ru_stime.tv_usec);
  return used;
}

void GatheredThreads::stay_on(int place) const {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(static_cast<std::size_t>(processors_[static_cast<std::size_t>(place)]), &one);
  for (const pid_t thread : threads_) sched_setaffinity(thread, sizeof(one), &one);
}

}  // namespace dino::train
