// The kernels of dino/image/pixels/kernels.h for processors from Ice Lake and Zen 4 on.
#pragma once
#include "dino/image/pixels/kernels.h"

namespace dino::image::avx512 {

extern const PixelKernels kKernels;
void scale(const Scaling&, Workspace&);
std::uint64_t recolor(Image&, std::span<const ColorStep>, bool wants_luma);
void box_blur(Image&, const BoxFilter&, Workspace&);
void to_floats(const Normalization&, float* out);
void to_bfloats(const Normalization&, std::uint16_t* out);
void to_planes(const Normalization&, std::uint8_t* out);

}  // namespace dino::image::avx512
