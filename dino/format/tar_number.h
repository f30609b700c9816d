// Numbers in tar headers; private to dino/format.
#pragma once
#include <cstdint>
#include <optional>
#include <string_view>

namespace dino::format {

inline constexpr std::uint64_t kLargestTarNumber = std::uint64_t{1} << 62;

/** Octal digits among spaces and zeros, or base 256 marked by the first bit. */
std::optional<std::uint64_t> tar_number(std::string_view field);

}  // namespace dino::format
