// Errors of single images, classified by reason so that they can be counted.
#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dino/base/error.h"
#include "dino/image/codecs/decode.h"
#include "dino/image/codecs/tiff_pages.h"
#include "dino/image/planes.h"

namespace dino::data {

enum class BadReason {
  Missing,     ///< no such file
  Unreadable,  ///< the system cannot read it: permissions, a folder, a broken sector
  Empty,       ///< zero bytes
  NotAnImage,  ///< the bytes are not an image
  Truncated,   ///< ends early
  Corrupt,     ///< damaged
  TooLarge,    ///< more pixels or bytes than the limit
};

/** "missing", "not_an_image", ... */
std::string_view bad_reason_name(BadReason reason);
/** The reason of that name, or nothing. */
std::optional<BadReason> bad_reason_from_name(std::string_view name);
/** A summary for messages, the most frequent first: "3 truncated, 1 empty". */
std::string bad_reasons(const std::map<BadReason, std::int64_t>& counts);

/** Error{Io} or Error{Format} for a single image. Callers skip, count and list such images instead
 * of stopping. */
class BadImage : public Error {
 public:
  BadImage(ErrorKind kind, BadReason reason, const std::string& message)
      : Error(kind, message), reason_(reason) {}
  BadReason reason() const noexcept { return reason_; }

 private:
  BadReason reason_;
};

/** The reason of a BadImage; for other errors it is inferred from their kind. */
BadReason reason_of(const Error& error);

/** How to decode files. */
struct FileDecoding {
  int channels = 3;  ///< see image::decode()
  image::DecodeOptions options = {};
};

/** As image::decode and image::decode_wide, but throw a BadImage that names `name`. */
image::Image decode_image(std::span<const std::byte> bytes, const FileDecoding& decoding,
                          std::string_view name);
image::Planes decode_image_wide(std::span<const std::byte> bytes, const FileDecoding& decoding,
                                std::string_view name);

/** Reads an image file. Throws BadImage if it is missing, empty or unreadable. */
std::vector<std::byte> read_image_file(const std::filesystem::path& path);
/** Extracts page `page` (from 0) of a TIFF file as a file of its own. Throws BadImage if there is
 * none. */
std::vector<std::byte> read_image_page(const std::filesystem::path& path, int page);
/** As above; `directory` is the offset of the page's directory, if known. */
std::vector<std::byte> read_image_page(const image::TiffSource& file, int page,
                                       std::string_view name,
                                       std::optional<std::uint64_t> directory = std::nullopt);

}  // namespace dino::data
