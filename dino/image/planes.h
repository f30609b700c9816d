// Images of floats with one plane per channel, the layout of network inputs.
#pragma once
#include <cstddef>
#include <vector>

#include "dino/image/image.h"

namespace dino::image {

/** An image [channels, height, width] of floats, usually in [0, 1]. Thread-compatible value type.
 */
struct Planes {
  int width = 0;     ///< px
  int height = 0;    ///< px
  int channels = 0;  ///< planes, any number
  std::vector<float> values;

  Planes() = default;
  Planes(int width_px, int height_px, int channel_count)
      : width(width_px),
        height(height_px),
        channels(channel_count),
        values(plane_size() * static_cast<std::size_t>(channel_count)) {}

  std::size_t plane_size() const {
    return static_cast<std::size_t>(width) * static_cast<std::size_t>(height);
  }
  const float* plane(int channel) const {
    return values.data() + static_cast<std::size_t>(channel) * plane_size();
  }
  float* plane(int channel) {
    return values.data() + static_cast<std::size_t>(channel) * plane_size();
  }
  const float* row(int channel, int y) const {
    return plane(channel) + static_cast<std::size_t>(y) * static_cast<std::size_t>(width);
  }
  float* row(int channel, int y) {
    return plane(channel) + static_cast<std::size_t>(y) * static_cast<std::size_t>(width);
  }
  bool empty() const { return values.empty(); }
  /** Changes the size, reusing the memory if it suffices. The samples are undefined afterwards. */
  void reshape(int width_px, int height_px, int channel_count) {
    width = width_px;
    height = height_px;
    channels = channel_count;
    values.resize(plane_size() * static_cast<std::size_t>(channel_count));
  }
  bool operator==(const Planes&) const = default;
};

/** Converts bytes to floats, divided by 255. */
Planes to_planes(const Image& image);

}  // namespace dino::image
