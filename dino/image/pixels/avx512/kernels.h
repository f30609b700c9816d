// The AVX-512 versions of the kernels in dino/image/pixels/kernels.h, for Ice Lake, Zen 4 and
// later.
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
