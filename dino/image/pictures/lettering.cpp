#include "dino/image/pictures/lettering.h"

#include <algorithm>
#include <array>

#include "dino/base/error.h"

namespace dino::image {
namespace {

constexpr int kWide = 5, kHigh = 7;  // px of a glyph

/** Bit 5 * row + column of a glyph says whether that pixel is ink; ' ' to '~'. */
constexpr std::array<std::uint64_t, 95> kGlyphs = {
    // clang-format off
    0x000000000, 0x100421084, 0x00000014a, 0x295f57d4a, 0x11f4717c4,  //  !"#$
    0x674222173, 0x593511526, 0x000000084, 0x208210888, 0x088842082,  // %&'()
    0x009575480, 0x0084f9080, 0x088400000, 0x0000f8000, 0x18c000000,  // *+,-.
    0x044222110, 0x3a33ae62e, 0x3884210c4, 0x7c226422e, 0x3a306422e,  // /0123
    0x211f4a988, 0x3a3083c3f, 0x3a317844c, 0x08422221f, 0x3a317462e,  // 45678
    0x1910f462e, 0x00c6018c0, 0x0886018c0, 0x208208888, 0x001f07c00,  // 9:;<=
    0x088882082, 0x10046422e, 0x383daf62e, 0x4631fc62e, 0x3e317c62f,  // >?@AB
    0x3a210862e, 0x3e318c62f, 0x7c217843f, 0x04217843f, 0x3a31e862e,  // CDEFG
    0x4631fc631, 0x38842108e, 0x19284211c, 0x452519531, 0x7c2108421,  // HIJKL
    0x4631ad771, 0x4631cd671, 0x3a318c62e, 0x04217c62f, 0x59358c62e,  // MNOPQ
    0x45257c62f, 0x3e107043e, 0x10842109f, 0x3a318c631, 0x11518c631,  // RSTUV
    0x4775ac631, 0x462a22a31, 0x108422a31, 0x7c222221f, 0x38421084e,  // WXYZ[
    0x410820841, 0x39084210e, 0x000004544, 0x7c0000000, 0x000000082,  // \]^_`
    0x7a3e83800, 0x3e318bc21, 0x38210b800, 0x7a318fa10, 0x383f8b800,  // abcde
    0x08423884c, 0x3a1e8f800, 0x46318bc21, 0x388421804, 0x192843008,  // fghij
    0x24a32a421, 0x388421086, 0x46b5aac00, 0x46318bc00, 0x3a318b800,  // klmno
    0x042f8bc00, 0x421e8f800, 0x04211b400, 0x3e0e0f800, 0x324211c42,  // pqrst
    0x5b318c400, 0x11518c400, 0x2ab58c400, 0x454454400, 0x3a1e8c400,  // uvwxy
    0x7c4447c00, 0x208411088, 0x108421084, 0x088441082, 0x0008a8800,  // z{|}~
    // clang-format on
};

std::uint64_t glyph(char character) {
  const bool known = character >= ' ' && character <= '~';
  return kGlyphs[static_cast<std::size_t>((known ? character : '?') - ' ')];
}

/** A block of `scale` px squared. */
void dot(Image& image, int left, int top, int scale, Color color) {
  const std::array<std::uint8_t, 3> samples = {color.red, color.green, color.blue};
  for (int y = std::max(top, 0); y < std::min(top + scale, image.height); ++y)
    for (int x = std::max(left, 0); x < std::min(left + scale, image.width); ++x)
      for (int c = 0; c < image.channels; ++c)
        image.row(y)[x * image.channels + c] = samples[static_cast<std::size_t>(c % 3)];
}

}  // namespace

void draw_text(Image& image, std::string_view text, int x, int y, Color color, int scale) {
  DINO_ASSERT(scale >= 1);
  for (const char character : text) {
    const std::uint64_t ink = glyph(character);
    for (int row = 0; row < kHigh; ++row)
      for (int column = 0; column < kWide; ++column)
        if (ink >> (row * kWide + column) & 1)
          dot(image, x + column * scale, y + row * scale, scale, color);
    x += kCharacterWidth * scale;
  }
}

std::vector<std::string> wrapped(std::string_view text, int characters) {
  DINO_ASSERT(characters >= 1);
  const auto longest = static_cast<std::size_t>(characters);
  std::vector<std::string> lines;
  while (!text.empty()) {
    std::size_t end = std::min(longest, text.size());
    if (end < text.size()) {
      const std::size_t space = text.substr(0, end + 1).rfind(' ');
      if (space != std::string_view::npos && space > 0) end = space;
    }
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(end);
    text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  }
  return lines;
}

}  // namespace dino::image
