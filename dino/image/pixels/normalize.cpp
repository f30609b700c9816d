// Pixels as a network takes them, for any processor.
#include <cmath>

#include "dino/base/bfloat16.h"
#include "dino/image/pixels/kernels.h"

namespace dino::image {
namespace {

/** out [C, H, W] = table_of(c)[sample]. */
template <typename Out, typename ValueOf>
void spread(const Normalization& work, Out* out, const ValueOf& value_of) {
  const Image& source = *work.source;
  const std::ptrdiff_t step = work.mirrored ? -source.channels : source.channels;
  std::array<Out, 256> table;
  for (int c = 0; c < source.channels; ++c) {
    for (std::size_t sample = 0; sample < table.size(); ++sample)
      table[sample] = value_of(c, sample);
    for (int y = 0; y < source.height; ++y) {
      const std::uint8_t* in =
          source.row(y) + c + (work.mirrored ? (source.width - 1) * source.channels : 0);
      for (int x = 0; x < source.width; ++x, in += step) *out++ = table[*in];
    }
  }
}

float value_of(const Normalization& work, int c, std::size_t sample) {
  return std::fma(static_cast<float>(sample), work.scale[c], work.offset[c]);
}

}  // namespace

void portable::to_floats(const Normalization& work, float* out) {
  spread(work, out, [&](int c, std::size_t sample) { return value_of(work, c, sample); });
}

void portable::to_bfloats(const Normalization& work, std::uint16_t* out) {
  spread(work, out,
         [&](int c, std::size_t sample) { return to_bfloat16(value_of(work, c, sample)); });
}

void portable::to_planes(const Normalization& work, std::uint8_t* out) {
  spread(work, out, [](int, std::size_t sample) { return static_cast<std::uint8_t>(sample); });
}

}  // namespace dino::image
