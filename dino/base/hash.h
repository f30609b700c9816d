// Fast checksums (XXH3) that detect damage and identify contents. They are not cryptographic.
// Thread-safe.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace dino {

std::uint64_t xxh3_64(std::span<const std::byte> bytes);

/** The checksums as 16 and 32 lower-case hexadecimal digits, in the canonical (big-endian) order
 * that the xxhsum program prints. */
std::string xxh3_64_hex(std::span<const std::byte> bytes);
std::string xxh3_128_hex(std::span<const std::byte> bytes);

}  // namespace dino
