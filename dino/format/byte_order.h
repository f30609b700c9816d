// Reads integers of either byte order. This library runs on little-endian machines only.
#pragma once
#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

namespace dino::format {

static_assert(std::endian::native == std::endian::little, "files hold little-endian numbers");

/** The unsigned number in at most 8 bytes, least significant byte first. */
inline std::uint64_t load_little_endian(std::span<const std::byte> bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = bytes.size(); i > 0; --i)
    value = value << 8 | std::to_integer<std::uint64_t>(bytes[i - 1]);
  return value;
}

/** The unsigned number in at most 8 bytes, most significant byte first. */
inline std::uint64_t load_big_endian(std::span<const std::byte> bytes) {
  std::uint64_t value = 0;
  for (const std::byte byte : bytes) value = value << 8 | std::to_integer<std::uint64_t>(byte);
  return value;
}

/** Reverses the bytes of each item, in place. */
inline void reverse_items(std::span<std::byte> bytes, std::size_t item_size) {
  if (item_size == 1) return;
  for (std::size_t i = 0; i + item_size <= bytes.size(); i += item_size) {
    const auto item = bytes.subspan(i, item_size);
    std::reverse(item.begin(), item.end());
  }
}

}  // namespace dino::format
