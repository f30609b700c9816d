#include "dino/run/machine.h"

#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "dino/base/cores.h"
#include "dino/base/error.h"
#include "dino/cpu/bf16_rule.h"

namespace dino::run {
namespace {

/** The value of the first "key : value" line of a /proc file; empty if there is none. */
std::string proc_value(const char* path, std::string_view key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with(key)) continue;
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    const std::size_t begin = line.find_first_not_of(" \t", colon + 1);
    return begin == std::string::npos ? "" : line.substr(begin);
  }
  return "";
}

std::int64_t physical_memory_bytes() {
  return static_cast<std::int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE);
}

}  // namespace

nlohmann::json describe_machine() {
  utsname system{};
  uname(&system);
  return {{"dino_version", DINO_VERSION},
          {"processor", proc_value("/proc/cpuinfo", "model name")},
          {"fast_bf16", cpu::bf16_pays_in_training(cpu::Processor::here())},
          {"cores", usable_processors()},
          {"memory_bytes", physical_memory_bytes()},
          {"host", system.nodename},
          {"system", fmt::format("{} {} {}", system.sysname, system.release, system.machine)}};
}

std::int64_t peak_resident_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss * 1024;  // Linux counts KiB
}

}  // namespace dino::run
