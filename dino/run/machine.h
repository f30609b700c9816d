// The program and the machine it runs on, for `dino --version`, env.json and benchmarks.
#pragma once
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace dino::run {

/** "dino 0.1.0 (LibTorch 2.11.0, AVX512)". */
std::string version_text();

/** Version, LibTorch version, processor, instruction set, cores, threads in use, memory, host name
 * and operating system. */
nlohmann::json describe_machine();

/** Largest resident size of this process so far, bytes. */
std::int64_t peak_resident_bytes();

}  // namespace dino::run
