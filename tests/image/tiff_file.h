// TIFF files written by hand: gray pages of 9 x 7 px, one value each.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace dino::test {

inline std::string little_endian(std::uint64_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text += static_cast<char>(value >> (8 * i));
  return text;
}

/** Page i has the value values[i]. Each directory stands before its only strip. */
inline std::string tiff(const std::vector<int>& values) {
  constexpr std::uint32_t kWidth = 9, kHeight = 7, kPixels = kWidth * kHeight, kEntries = 8;
  constexpr std::uint32_t kDirectory = 2 + 12 * kEntries + 4, kPage = kDirectory + kPixels + 1;
  std::string file = "II*" + std::string(1, '\0') + little_endian(8, 4);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto at = static_cast<std::uint32_t>(file.size());
    file += little_endian(kEntries, 2);
    const auto entry = [&](std::uint32_t tag, std::uint32_t value) {
      file += little_endian(tag, 2) + little_endian(4, 2) + little_endian(1, 4) +
              little_endian(value, 4);
    };
    entry(256, kWidth);
    entry(257, kHeight);
    entry(258, 8);                // bits
    entry(259, 1);                // uncompressed
    entry(262, 1);                // zero is black
    entry(273, at + kDirectory);  // the strip
    entry(278, kHeight);          // rows in it
    entry(279, kPixels);
    file += little_endian(i + 1 < values.size() ? at + kPage : 0, 4);
    file += std::string(kPixels + 1, static_cast<char>(values[i]));
  }
  return file;
}

}  // namespace dino::test
