// The inner loops of resizing, color and blur: one table per instruction set, chosen at run time.
// Every table gives the same bytes, which are Pillow's; normalized floats are the same too.
#pragma once
#include <array>
#include <cstdint>
#include <span>

#include "dino/image/image.h"
#include "dino/image/pixels/workspace.h"

namespace dino::image {

inline constexpr int kWeightBits = 22;  ///< fraction bits of a fixed-point weight, as in Pillow

/** Separable resampling. Null taps leave that axis as it is; one of the two is not null. */
struct Scaling {
  ImageView source;
  const FixedTaps* across = nullptr;
  const FixedTaps* down = nullptr;
  bool down_first = false;  ///< the order shows in the rounding
  Image* out = nullptr;     ///< has its final size
};

/** One operation on every pixel. */
struct ColorStep {
  enum class Kind {
    Table,       ///< sample -> table[sample]
    Saturation,  ///< blend of the pixel's luma and the pixel; RGB only
    Hue,         ///< turned by shift / 255 of the color circle; RGB only
    Gray,        ///< the pixel's luma three times; RGB only
  };
  Kind kind = Kind::Table;
  float factor = 1;  ///< of Saturation
  int shift = 0;     ///< of Hue, -127 ... 127
  std::array<std::uint8_t, 256> table;
};

/** A box of 2 * whole + 1 samples with weight `inner` each, and one sample more on either side with
 * weight `outer`. */
struct BoxFilter {
  int whole = 0;
  std::uint32_t inner = 0;  // 24-bit fixed point
  std::uint32_t outer = 0;
};

/** [H, W, C] bytes -> [C, H, W] values value * scale[c] + offset[c], rounded once. */
struct Normalization {
  const Image* source = nullptr;
  bool mirrored = false;          ///< left and right change places
  const float* scale = nullptr;   ///< [C]
  const float* offset = nullptr;  ///< [C]
};

struct PixelKernels {
  const char* name;  ///< of the instruction set
  void (*scale)(const Scaling&, Workspace&);
  /** Runs all steps on every pixel in turn; returns the sum of the results' lumas if asked for. */
  std::uint64_t (*recolor)(Image&, std::span<const ColorStep>, bool wants_luma);
  /** Three passes along x, then three along y. */
  void (*box_blur)(Image&, const BoxFilter&, Workspace&);
  void (*to_floats)(const Normalization&, float* out);
  /** bfloat16, rounded to nearest even from the float. */
  void (*to_bfloats)(const Normalization&, std::uint16_t* out);
  /** The bytes themselves, colors apart; scale and offset are not read. */
  void (*to_planes)(const Normalization&, std::uint8_t* out);
};

/** The fastest table this processor runs. Thread-safe. */
const PixelKernels& kernels();
/** Every table this processor runs, the portable one first: for tests. */
std::span<const PixelKernels* const> all_kernels();

namespace portable {
extern const PixelKernels kKernels;
void scale(const Scaling&, Workspace&);
std::uint64_t recolor(Image&, std::span<const ColorStep>, bool wants_luma);
void box_blur(Image&, const BoxFilter&, Workspace&);
void to_floats(const Normalization&, float* out);
void to_bfloats(const Normalization&, std::uint16_t* out);
void to_planes(const Normalization&, std::uint8_t* out);
}  // namespace portable

}  // namespace dino::image
