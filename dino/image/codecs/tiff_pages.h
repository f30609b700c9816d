// The pages of a TIFF file, and one of them as a file of its own: a file of many pages is an
// archive of images. Reads directories only, as TIFF 6.0 and BigTIFF have them; pixels stay coded.
// Of sub-directories only a full image below a smaller one counts; overviews and EXIF do not.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "dino/base/byte_source.h"

namespace dino::image {

/** The bytes of a file, wherever they lie. */
struct TiffSource {
  std::uint64_t size = 0;
  /// Fills `out` with the bytes from `offset` on; returns fewer only at the end
  std::function<std::size_t(std::uint64_t offset, std::span<std::byte> out)> read_at;
};

/** Borrows the bytes. */
TiffSource tiff_in_memory(std::span<const std::byte> bytes);
/** `size` bytes of a file from `offset` on. Borrows it; reading throws as it does. */
TiffSource tiff_in_file(const RandomAccessFile& file, std::uint64_t offset, std::uint64_t size);

/** Offsets of the directories of the file's pages: those of the chain that are neither overviews
 * nor masks (if all are, the first), or in their place the larger full image that lies below them.
 * At most 65,535; ends where the chain of directories is damaged or goes round. Empty: no TIFF
 * file, or damaged at its start. Thread-safe. */
std::vector<std::uint64_t> tiff_pages(const TiffSource& source);
/** Of page `page` (from 0), without looking at those behind it; nothing if there is none. */
std::optional<std::uint64_t> tiff_page(const TiffSource& source, int page);

/** Strips or tiles that the directory at `offset` lists; libtiff makes up those that are missing.
 */
std::uint64_t tiff_listed_blocks(const TiffSource& source, std::uint64_t offset);

/** Page `page` (from 0) as a TIFF file that decodes to the same pixels: the tags that matter for
 * them and its coded strips or tiles, and nothing else of the file is read but the directories
 * before it. Throws Error{Format} if there is no such page, it is damaged or cut short, or its
 * strips have no sizes. Thread-safe. */
std::vector<std::byte> read_tiff_page(const TiffSource& source, int page);
/** The page whose directory is at `offset`, one of tiff_pages(). */
std::vector<std::byte> read_tiff_directory(const TiffSource& source, std::uint64_t offset);

}  // namespace dino::image
