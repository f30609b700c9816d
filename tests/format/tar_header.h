// Headers of tar archives made by hand.
#pragma once
#include <fmt/format.h>

#include <string>

namespace dino::format {

/** A header of 512 bytes with its checksum put right. */
inline std::string with_checksum(std::string header) {
  header.replace(148, 8, 8, ' ');
  unsigned sum = 0;
  for (const char c : header) sum += static_cast<unsigned char>(c);
  header.replace(148, 6, fmt::format("{:06o}", sum));
  header[154] = '\0';
  return header;
}

}  // namespace dino::format
