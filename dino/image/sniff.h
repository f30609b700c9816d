// What a file's first bytes say it is. Names are never asked: half of the web's .jpg files are
// something else.
#pragma once
#include <cstddef>
#include <span>
#include <string_view>

namespace dino::image {

enum class ImageKind { Unknown, Jpeg, Png };

/** Jpeg or Png by their signatures, otherwise Unknown. */
ImageKind kind_of(std::span<const std::byte> bytes);

/** A name for the bytes, for error messages: "a JPEG image", "a GIF image", "an HTML page", "text",
 * "unknown binary data". */
std::string_view describe(std::span<const std::byte> bytes);

}  // namespace dino::image
