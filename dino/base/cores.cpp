#include "dino/base/cores.h"

#include <sched.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <thread>

namespace dino {
namespace {

namespace fs = std::filesystem;

constexpr int kThreadsPerLoader = 8;  // while the others compute
constexpr int kNoQuota = std::numeric_limits<int>::max();

/** Processors of the calling thread's affinity mask, of machines of any size. */
int processors_of_affinity_mask() {
  constexpr std::size_t kMostProcessors = std::size_t{1} << 20;
  for (std::size_t count = 1024; count <= kMostProcessors; count *= 2) {
    const std::unique_ptr<cpu_set_t, void (*)(cpu_set_t*)> mask(
        CPU_ALLOC(count), [](cpu_set_t* set) { CPU_FREE(set); });
    if (!mask) break;
    const std::size_t bytes = CPU_ALLOC_SIZE(count);
    if (sched_getaffinity(0, bytes, mask.get()) == 0) return CPU_COUNT_S(bytes, mask.get());
  }
  return static_cast<int>(std::thread::hardware_concurrency());
}

std::optional<std::string> first_line(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  if (!std::getline(file, line)) return std::nullopt;
  return line;
}

/** Of "QUOTA PERIOD" in microseconds; "max" and -1 stand for none. */
int processors_of(const std::string& quota_and_period) {
  std::istringstream text(quota_and_period);
  std::int64_t quota = 0, period = 0;
  if (!(text >> quota >> period) || quota <= 0 || period <= 0) return kNoQuota;
  return static_cast<int>(std::clamp<std::int64_t>((quota - 1) / period + 1, 1, kNoQuota));
}

int quota_of_group(const fs::path& group) {
  if (const auto line = first_line(group / "cpu.max")) return processors_of(*line);  // version 2
  const auto quota = first_line(group / "cpu.cfs_quota_us");
  const auto period = first_line(group / "cpu.cfs_period_us");
  return quota && period ? processors_of(*quota + ' ' + *period) : kNoQuota;
}

/** Where a line "ID:CONTROLLERS:PATH" has its CPU quotas below `root`; empty if it has none. */
fs::path folder_of(const std::string& controllers, const fs::path& root) {
  if (controllers.empty()) return root;  // version 2
  std::istringstream names(controllers);
  for (std::string name; std::getline(names, name, ',');)
    if (name == "cpu") return fs::exists(root / controllers) ? root / controllers : root / "cpu";
  return {};
}

}  // namespace

int control_group_quota(const fs::path& membership, const fs::path& root) {
  int least = kNoQuota;
  std::ifstream file(membership);
  for (std::string line; std::getline(file, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = first == line.npos ? line.npos : line.find(':', first + 1);
    if (second == line.npos) continue;
    const fs::path folder = folder_of(line.substr(first + 1, second - first - 1), root);
    if (folder.empty()) continue;
    // In a container the path may be the host's, of which only the end, or nothing, is there.
    fs::path group = fs::path(line.substr(second + 1)).lexically_normal().relative_path();
    for (;; group = group.parent_path()) {
      least = std::min(least, quota_of_group(folder / group));
      if (group.empty()) break;
    }
  }
  return least;
}

int usable_processors() {
  return std::max(1, std::min(processors_of_affinity_mask(),
                              control_group_quota("/proc/self/cgroup", "/sys/fs/cgroup")));
}

int ThreadPlan::most_running() const {
  return std::max(loading, computing + beside);
}

ThreadPlan plan_training(int threads, int workers) {
  return {.computing = threads,
          .loading = workers,
          .beside = std::min(workers, std::max(1, threads / kThreadsPerLoader))};
}

ThreadPlan plan_features(int threads) {
  return {.computing = threads,
          .loading = threads,
          .beside = threads == 1 ? 0 : std::max(1, threads / kThreadsPerLoader)};
}

std::size_t pool_workers(int threads) {
  return static_cast<std::size_t>((threads > 0 ? threads : usable_processors()) - 1);
}

}  // namespace dino
