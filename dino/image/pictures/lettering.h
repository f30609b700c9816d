// Draws text on images with a 5 x 7 px font of the printable ASCII characters.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "dino/image/image.h"
#include "dino/image/pictures/draw.h"

namespace dino::image {

inline constexpr int kCharacterWidth = 6;  ///< px, with the gap to the next
inline constexpr int kLineHeight = 10;     ///< px, with the gap to the next line

/** Writes one line with its top left corner at (x, y) px, `scale` times as large; what falls
 * outside is clipped, and characters outside ASCII become '?'. Thread-safe on different images. */
void draw_text(Image& image, std::string_view text, int x, int y, Color color, int scale = 1);

/** Breaks `text` at spaces into lines of at most `characters` >= 1 characters; longer words are
 * split. */
std::vector<std::string> wrapped(std::string_view text, int characters);

}  // namespace dino::image
