// The inner loops of resizing, color changes, blur and normalization: one table of functions per
// instruction set, chosen at run time. All tables give the same bytes (equal to Pillow's) and the
// same floats. Functions are reentrant; arrays need only the alignment of their type and must not
// overlap.
#pragma once
#include <array>
#include <cstdint>
#include <span>

#include "dino/image/image.h"
#include "dino/image/pixels/workspace.h"

namespace dino::image {

inline constexpr int kWeightBits = 22;  ///< fraction bits of a fixed-point weight, as in Pillow

/** Arguments of a separable resampling. An axis with null taps keeps its size; at least one has
 * taps. */
struct Scaling {
  ImageView source;
  const FixedTaps* across = nullptr;
  const FixedTaps* down = nullptr;
  bool down_first = false;  ///< resample along y first; the order affects rounding
  Image* out = nullptr;     ///< already has its final size; must not be the source
};

/** One color operation, applied to every pixel. */
struct ColorStep {
  enum class Kind {
    Table,       ///< sample -> table[sample]
    Saturation,  ///< luma + factor * (sample - luma); RGB only
    Hue,         ///< hue shifted by shift / 255 of the color circle; RGB only
    Gray,        ///< all samples become the luma; RGB only
  };
  Kind kind = Kind::Table;
  float factor = 1;  ///< for Saturation
  int shift = 0;     ///< for Hue, -127 to 127
  std::array<std::uint8_t, 256> table;
};

/** A box filter of 2 * whole + 1 samples with weight `inner` and one more sample on each side with
 * weight `outer`. */
struct BoxFilter {
  int whole = 0;
  std::uint32_t inner = 0;  // fixed point, 24 fraction bits
  std::uint32_t outer = 0;
};

/** Converts bytes [H, W, C] to [C, H, W] values byte * scale[c] + offset[c], rounded once. */
struct Normalization {
  const Image* source = nullptr;
  bool mirrored = false;          ///< mirror horizontally
  const float* scale = nullptr;   ///< [C]
  const float* offset = nullptr;  ///< [C]
};

struct PixelKernels {
  const char* name;  ///< name of the instruction set
  void (*scale)(const Scaling&, Workspace&);
  /** Applies all steps to each pixel, in place. Returns the sum of the resulting lumas if
   * `wants_luma`. */
  std::uint64_t (*recolor)(Image&, std::span<const ColorStep>, bool wants_luma);
  /** Applies the filter three times along x, then three times along y, in place. */
  void (*box_blur)(Image&, const BoxFilter&, Workspace&);
  /** The output of these three is [C, H, W]. */
  void (*to_floats)(const Normalization&, float* out);
  /** As to_floats, then rounded to bfloat16, ties to even. */
  void (*to_bfloats)(const Normalization&, std::uint16_t* out);
  /** Copies the bytes to [C, H, W]; scale and offset are ignored. */
  void (*to_planes)(const Normalization&, std::uint8_t* out);
};

/** The fastest table that this processor supports. Thread-safe. */
const PixelKernels& kernels();
/** Every table that this processor supports, the portable one first; for tests. */
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
