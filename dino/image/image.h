// Pixels in memory: 8-bit, interleaved, rows top to bottom without padding.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace dino::image {

/** [height, width, channels] uint8; channels is 1 (grey), 3 (RGB) or, where decode() was asked for
 * them, a number of bands, which only Planes compute with. Thread-compatible value type. */
struct Image {
  int width = 0;     ///< px
  int height = 0;    ///< px
  int channels = 0;  ///< 1 grey, 3 RGB, else bands
  std::vector<std::uint8_t> pixels;

  Image() = default;
  Image(int width_px, int height_px, int channel_count)
      : width(width_px),
        height(height_px),
        channels(channel_count),
        pixels(static_cast<std::size_t>(width_px) * static_cast<std::size_t>(height_px) *
               static_cast<std::size_t>(channel_count)) {}

  std::size_t row_bytes() const {
    return static_cast<std::size_t>(width) * static_cast<std::size_t>(channels);
  }
  std::uint8_t* row(int y) { return pixels.data() + static_cast<std::size_t>(y) * row_bytes(); }
  const std::uint8_t* row(int y) const {
    return pixels.data() + static_cast<std::size_t>(y) * row_bytes();
  }
  bool empty() const { return pixels.empty(); }
  bool operator==(const Image&) const = default;
};

}  // namespace dino::image
