// 8-bit images in memory: interleaved channels, rows from top to bottom without padding.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace dino::image {

/** An image [height, width, channels] of uint8; channels is 1 (gray), 3 (RGB) or, if decode() was
 * asked for them, a number of bands, which only the functions for Planes support.
 * Thread-compatible value type. */
struct Image {
  int width = 0;     ///< px
  int height = 0;    ///< px
  int channels = 0;  ///< 1 gray, 3 RGB, else bands
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
  /** Changes the size, reusing the memory if it suffices. The pixels are undefined afterwards. */
  void reshape(int width_px, int height_px, int channel_count) {
    width = width_px;
    height = height_px;
    channels = channel_count;
    pixels.resize(static_cast<std::size_t>(height) * row_bytes());
  }
  bool operator==(const Image&) const = default;
};

/** A rectangular window of an image, which it borrows. */
struct ImageView {
  const std::uint8_t* pixels = nullptr;  ///< first pixel of the first row
  std::size_t stride = 0;                ///< bytes between rows
  int width = 0;                         ///< px
  int height = 0;                        ///< px
  int channels = 0;                      ///< 1 gray, 3 RGB

  ImageView() = default;
  ImageView(const Image& image)  // NOLINT: an image is the view of all of it
      : pixels(image.pixels.data()),
        stride(image.row_bytes()),
        width(image.width),
        height(image.height),
        channels(image.channels) {}
  /** The window whose corner is (left, top); must lie inside the image. */
  ImageView(const Image& image, int left, int top, int width_px, int height_px)
      : pixels(image.row(top) + left * image.channels),
        stride(image.row_bytes()),
        width(width_px),
        height(height_px),
        channels(image.channels) {}

  const std::uint8_t* row(int y) const { return pixels + static_cast<std::size_t>(y) * stride; }
  std::size_t row_bytes() const {
    return static_cast<std::size_t>(width) * static_cast<std::size_t>(channels);
  }
  bool empty() const { return width == 0 || height == 0; }
};

}  // namespace dino::image
