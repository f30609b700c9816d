// The synthetic images and the fingerprint of tests/golden/image/make_pixel_golden.py.
#pragma once
#include <cstdint>
#include <string>

#include <fmt/format.h>

#include "dino/image/image.h"

namespace dino::image {

/** Ramps that wrap (hard edges) with noise on top. */
inline Image synthetic(int width, int height, int channels, std::uint32_t seed) {
  Image image(width, height, channels);
  std::uint8_t* out = image.pixels.data();
  for (std::uint32_t y = 0; y < static_cast<std::uint32_t>(height); ++y)
    for (std::uint32_t x = 0; x < static_cast<std::uint32_t>(width); ++x)
      for (std::uint32_t c = 0; c < static_cast<std::uint32_t>(channels); ++c) {
        std::uint32_t h =
            (x * 73856093u) ^ (y * 19349663u) ^ (c * 83492791u) ^ (seed * 2654435761u);
        h ^= h >> 13;
        h *= 0x5BD1E995u;
        h ^= h >> 15;
        *out++ = static_cast<std::uint8_t>(x * 5 + y * 3 + c * 40 + (h & 63));
      }
  return image;
}

inline std::string fingerprint(const Image& image) {
  std::uint64_t total = 0;
  for (std::uint64_t i = 0; i < image.pixels.size(); ++i)
    total += (image.pixels[i] + std::uint64_t{1}) * ((i * 0x9E3779B97F4A7C15u) | 1u);
  return fmt::format("{:016x}", total);
}

}  // namespace dino::image
