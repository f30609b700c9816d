// The machine this process runs on, for env.json and benchmarks.
#pragma once
#include <cstdint>
#include <nlohmann/json_fwd.hpp>

namespace dino::run {

/** Version, processor, whether bf16 pays in training, cores, memory, host name and operating
 * system. train::describe_machine() adds what is known of LibTorch. */
nlohmann::json describe_machine();

/** Largest resident size of this process so far, bytes. */
std::int64_t peak_resident_bytes();

}  // namespace dino::run
