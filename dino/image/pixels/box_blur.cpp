// Three box blurs along each axis for any processor.
#include "dino/image/pixels/box_blur.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "dino/image/pixels/byte_rows.h"
#include "dino/image/pixels/kernels.h"

namespace dino::image {
namespace {

simd::Uints8 load(const std::uint8_t* from) {
  return reinterpret_cast<simd::Uints8>(simd::load_ints(from));
}

/** kBoxBlurs box blurs along the first axis of `lines` [size, 8 * kVectors]; `other` is room of the
 * same size. The result is in the returned one of the two. */
template <int kVectors>
std::uint8_t* blur_lines(std::uint8_t* lines, std::uint8_t* other, int size, const BoxFilter& box) {
  constexpr std::ptrdiff_t kLanes = 8 * kVectors;
  for (int pass = 0; pass < kBoxBlurs; ++pass) {
    const auto row = [&](int i) { return lines + std::clamp(i, 0, size - 1) * kLanes; };
    simd::Uints8 sums[kVectors] = {};
    for (int i = -box.whole - 1; i < box.whole; ++i)
      for (int v = 0; v < kVectors; ++v) sums[v] += load(row(i) + 8 * v);
    for (int i = 0; i < size; ++i) {
      const std::uint8_t* leaving = row(i - box.whole - 1);
      const std::uint8_t* entering = row(i + box.whole);
      const std::uint8_t* next = row(i + box.whole + 1);
      std::uint8_t* out = other + i * kLanes;
      for (int v = 0; v < kVectors; ++v) {
        const simd::Uints8 left = load(leaving + 8 * v);
        const simd::Uints8 right = load(next + 8 * v);
        sums[v] += load(entering + 8 * v) - left;
        const simd::Uints8 value = sums[v] * box.inner + (left + right) * box.outer + (1u << 23);
        simd::store_bytes(reinterpret_cast<simd::Ints8>(value >> 24), out + 8 * v);
      }
    }
    std::swap(lines, other);
  }
  return lines;
}

constexpr int kStripeVectors = 6;
constexpr std::size_t kStripe = 8 * kStripeVectors;  // bytes of a row blurred along y at once

/** Blurs 16 rows at once along x: turned on their side, a pixel column is kVectors * 8 = 16 *
 * channels bytes. */
template <int kVectors>
void blur_x(Image& image, const BoxFilter& box, std::uint8_t* room, std::uint8_t* other) {
  const std::size_t row_bytes = image.row_bytes();
  for (int y = 0; y < image.height; y += static_cast<int>(kBlockRows)) {
    const auto rows = static_cast<std::size_t>(std::min<int>(kBlockRows, image.height - y));
    turn_rows(block_of_rows(y, image.height, [&](int r) { return image.row(r); }), 0, row_bytes,
              room);
    const std::uint8_t* blurred = blur_lines<kVectors>(room, other, image.width, box);
    turn_back(blurred, row_bytes, rows, row_bytes, image.row(y));
  }
}

void blur_y(Image& image, const BoxFilter& box, std::uint8_t* room, std::uint8_t* other) {
  for (std::size_t x = 0; x < image.row_bytes(); x += kStripe) {
    const std::size_t bytes = std::min(kStripe, image.row_bytes() - x);
    for (int y = 0; y < image.height; ++y)
      std::memcpy(room + static_cast<std::size_t>(y) * kStripe, image.row(y) + x, bytes);
    const std::uint8_t* blurred = blur_lines<kStripeVectors>(room, other, image.height, box);
    for (int y = 0; y < image.height; ++y)
      std::memcpy(image.row(y) + x, blurred + static_cast<std::size_t>(y) * kStripe, bytes);
  }
}

}  // namespace

void portable::box_blur(Image& image, const BoxFilter& box, Workspace& workspace) {
  const std::size_t room = kStripe * static_cast<std::size_t>(std::max(image.width, image.height));
  auto* const lines = workspace.first.get<std::uint8_t>(room);
  auto* const other = workspace.second.get<std::uint8_t>(room);
  if (image.channels == 1)
    blur_x<2>(image, box, lines, other);
  else
    blur_x<6>(image, box, lines, other);
  blur_y(image, box, lines, other);
}

}  // namespace dino::image
