// Parses numbers in tar headers; private to dino/format.
#pragma once
#include <cstdint>
#include <optional>
#include <string_view>

namespace dino::format {

inline constexpr std::uint64_t kLargestTarNumber = std::uint64_t{1} << 62;

/** A header field: octal digits padded with spaces and NUL bytes, or base 256 if the first bit is
 * set. Nothing if it is invalid. */
std::optional<std::uint64_t> tar_number(std::string_view field);

}  // namespace dino::format
