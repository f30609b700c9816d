// Processes interleaved RGB in blocks of eight pixels with one vector per color.
#pragma once
#include "dino/image/image.h"
#include "dino/image/pixels/simd.h"

namespace dino::image {

/** Eight pixels; values 0..255. */
struct RgbBlock {
  simd::Ints8 red;
  simd::Ints8 green;
  simd::Ints8 blue;
};

namespace simd {

/** Loads 48 interleaved bytes as two blocks. */
inline void load_blocks(const std::uint8_t* from, RgbBlock (&blocks)[2]) {
  const Bytes16 a = load16(from), b = load16(from + 16), c = load16(from + 32);
  // clang-format off
  // First each color's bytes of a and b (padded with index 0), then those of c are appended.
  const Bytes16 red   = __builtin_shufflevector(a, b, 0, 3, 6, 9, 12, 15, 18, 21, 24, 27, 30, 0, 0, 0, 0, 0);
  const Bytes16 green = __builtin_shufflevector(a, b, 1, 4, 7, 10, 13, 16, 19, 22, 25, 28, 31, 0, 0, 0, 0, 0);
  const Bytes16 blue  = __builtin_shufflevector(a, b, 2, 5, 8, 11, 14, 17, 20, 23, 26, 29, 0, 0, 0, 0, 0, 0);
  std::uint8_t apart[3][16];
  store16(__builtin_shufflevector(red, c, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 17, 20, 23, 26, 29), apart[0]);
  store16(__builtin_shufflevector(green, c, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 18, 21, 24, 27, 30), apart[1]);
  store16(__builtin_shufflevector(blue, c, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 19, 22, 25, 28, 31), apart[2]);
  // clang-format on
  for (int half = 0; half < 2; ++half)
    blocks[half] = {load_ints(apart[0] + 8 * half), load_ints(apart[1] + 8 * half),
                    load_ints(apart[2] + 8 * half)};
}

/** Stores two blocks as 48 interleaved bytes. */
inline void store_blocks(const RgbBlock (&blocks)[2], std::uint8_t* to) {
  const Bytes16 r = narrow(blocks[0].red, blocks[1].red);
  const Bytes16 g = narrow(blocks[0].green, blocks[1].green);
  const Bytes16 b = narrow(blocks[0].blue, blocks[1].blue);
  // clang-format off
  // First pairs (red, green) with gaps (index 0), then blue is placed into the gaps.
  const Bytes16 i = __builtin_shufflevector(r, g, 0, 16, 0, 1, 17, 0, 2, 18, 0, 3, 19, 0, 4, 20, 0, 5);
  const Bytes16 j = __builtin_shufflevector(r, g, 21, 0, 6, 22, 0, 7, 23, 0, 8, 24, 0, 9, 25, 0, 10, 26);
  const Bytes16 k = __builtin_shufflevector(r, g, 0, 11, 27, 0, 12, 28, 0, 13, 29, 0, 14, 30, 0, 15, 31, 0);
  store16(__builtin_shufflevector(i, b, 0, 1, 16, 3, 4, 17, 6, 7, 18, 9, 10, 19, 12, 13, 20, 15), to);
  store16(__builtin_shufflevector(j, b, 0, 21, 2, 3, 22, 5, 6, 23, 8, 9, 24, 11, 12, 25, 14, 15), to + 16);
  store16(__builtin_shufflevector(k, b, 26, 1, 2, 27, 4, 5, 28, 7, 8, 29, 10, 11, 30, 13, 14, 31), to + 32);
  // clang-format on
}

}  // namespace simd

/** Calls `change(block)` for all pixels of an RGB image, in place; the last blocks are padded with
 * black. */
template <typename Change>
void for_each_block(Image& image, const Change& change) {
  constexpr std::size_t kBytes = 48;
  const auto change_at = [&](std::uint8_t* samples) {
    RgbBlock blocks[2];
    simd::load_blocks(samples, blocks);
    change(blocks[0]);
    change(blocks[1]);
    simd::store_blocks(blocks, samples);
  };
  std::uint8_t* samples = image.pixels.data();
  std::size_t left = image.pixels.size();
  for (; left >= kBytes; left -= kBytes, samples += kBytes) change_at(samples);
  if (left == 0) return;
  std::uint8_t rest[kBytes] = {};
  std::memcpy(rest, samples, left);
  change_at(rest);
  std::memcpy(samples, rest, left);
}

}  // namespace dino::image
