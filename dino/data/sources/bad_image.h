// Why an image of a data set cannot be used, in words that can be counted.
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
  Unreadable,  ///< the system refused it: permissions, a folder, a broken sector
  Empty,       ///< zero bytes
  NotAnImage,  ///< the bytes are something else
  Truncated,   ///< ends early
  Corrupt,     ///< damaged within
  TooLarge,    ///< more pixels or bytes than the limit
};

/** "missing", "not_an_image", ... */
std::string_view bad_reason_name(BadReason reason);
/** The reason of that name, if there is one. */
std::optional<BadReason> bad_reason_from_name(std::string_view name);
/** "3 truncated, 1 empty", the most frequent first; for people to read. */
std::string bad_reasons(const std::map<BadReason, std::int64_t>& counts);

/** Skipped, counted and listed, never a reason to stop by itself: Error{Io} or Error{Format} with a
 * reason. */
class BadImage : public Error {
 public:
  BadImage(ErrorKind kind, BadReason reason, const std::string& message)
      : Error(kind, message), reason_(reason) {}
  BadReason reason() const noexcept { return reason_; }

 private:
  BadReason reason_;
};

/** The reason an error gives, if it has one; else told from its kind. */
BadReason reason_of(const Error& error);

/** How files become pixels. */
struct FileDecoding {
  int channels = 3;  ///< see image::decode()
  image::DecodeOptions options = {};
};

/** image::decode and image::decode_wide with a BadImage that names `name` where the bytes are no
 * image. */
image::Image decode_image(std::span<const std::byte> bytes, const FileDecoding& decoding,
                          std::string_view name);
image::Planes decode_image_wide(std::span<const std::byte> bytes, const FileDecoding& decoding,
                                std::string_view name);

/** The bytes of an image file; BadImage where there are none. */
std::vector<std::byte> read_image_file(const std::filesystem::path& path);
/** Page `page` of a TIFF file as a file of its own; BadImage where there is none. */
std::vector<std::byte> read_image_page(const std::filesystem::path& path, int page);
/** `directory`: where it is, if that is known. */
std::vector<std::byte> read_image_page(const image::TiffSource& file, int page,
                                       std::string_view name,
                                       std::optional<std::uint64_t> directory = std::nullopt);

}  // namespace dino::data
