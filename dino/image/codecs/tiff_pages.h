// Lists the pages of a TIFF file and extracts one as a file of its own, so that a file of many
// pages can serve as an archive of images. Reads only the directories of TIFF 6.0 and BigTIFF;
// pixels stay compressed. Of sub-directories only a full image below a smaller one counts;
// overviews and EXIF do not.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "dino/base/byte_source.h"

namespace dino::image {

/** Random access to the bytes of a file in memory or on disk. */
struct TiffSource {
  std::uint64_t size = 0;
  /// Fills `out` with the bytes from `offset` on; returns fewer only at the end
  std::function<std::size_t(std::uint64_t offset, std::span<std::byte> out)> read_at;
};

/** A source that borrows `bytes`. */
TiffSource tiff_in_memory(std::span<const std::byte> bytes);
/** A source of `size` bytes of a file from `offset` on. Borrows the file; reading throws as
 * RandomAccessFile::read_at() does. */
TiffSource tiff_in_file(const RandomAccessFile& file, std::uint64_t offset, std::uint64_t size);

/** Offsets of the directories of the file's pages: those of the chain that are neither overviews
 * nor masks (if all are, the first), or in their place the larger full image that is in a
 * sub-directory. At most 65,535. The list ends where the chain is damaged or cyclic; it is empty
 * if this is not a TIFF file. Thread-safe. */
std::vector<std::uint64_t> tiff_pages(const TiffSource& source);
/** The offset of page `page` (from 0), without reading the pages after it; nothing if there is no
 * such page. */
std::optional<std::uint64_t> tiff_page(const TiffSource& source, int page);

/** The number of strips or tiles that the directory at `offset` lists; libtiff invents entries for
 * missing ones. */
std::uint64_t tiff_listed_blocks(const TiffSource& source, std::uint64_t offset);

/** Extracts page `page` (from 0) as a TIFF file that decodes to the same pixels: its compressed
 * strips or tiles and the tags that affect pixels. Of other pages only the directories before it
 * are read. Throws Error{Format} if there is no such page, it is damaged or truncated, or its
 * strips have no sizes. Thread-safe. */
std::vector<std::byte> read_tiff_page(const TiffSource& source, int page);
/** Extracts the page whose directory is at `offset`, one of tiff_pages(). */
std::vector<std::byte> read_tiff_directory(const TiffSource& source, std::uint64_t offset);

}  // namespace dino::image
