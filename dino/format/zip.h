// Reads and writes ZIP archives: those of torch.save, whose uncompressed members are returned as
// views of the file, and archives of images, whose members are listed and decompressed one by one.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dino/base/byte_source.h"

namespace dino::format {

struct ZipMember {
  std::string_view name;
  std::span<const std::byte> bytes;
};

/** The uncompressed members in the order of the central directory, as views of `file`. Supports
 * ZIP64. Throws Error{Format} naming `name` and the member for compressed or encrypted members,
 * names that repeat or lead out of a folder, contradicting records, and members that overlap or
 * exceed the file. Checksums are not verified, since torch.save can omit them. */
std::vector<ZipMember> read_stored_zip(std::span<const std::byte> file, std::string_view name);

/** The location of a member. */
struct ZipEntry {
  std::string_view name;
  std::uint64_t begin = 0;   ///< offset of its local header in the file
  std::uint64_t packed = 0;  ///< compressed size, bytes
};

/** The files in the archive, in the order of its directory; folders are skipped. Reads only the
 * directory, and accepts what other programs do: bytes before the archive (self-extracting
 * programs) and after it, counts that wrapped at 65,536, backslashes and unsafe paths in names
 * (never use them as paths), members of any compression method. Throws Error{Format} as above. */
std::vector<ZipEntry> list_zip(std::span<const std::byte> file, std::string_view name);

/** Decompresses a member and passes its bytes to `sink` in order; verifies its CRC. Throws
 * Error{Format} naming file and member if it is damaged, encrypted, compressed by a method other
 * than deflate or exceeds the file; Error{Io}. Thread-safe. */
void unpack_zip_member(const RandomAccessFile& file, const ZipEntry& entry,
                       const std::function<void(std::span<const std::byte>)>& sink);

/** Fills `out` with the member's first bytes and returns how many, without verifying its CRC.
 * Throws as above. Thread-safe. */
std::size_t read_zip_head(const RandomAccessFile& file, const ZipEntry& entry,
                          std::span<std::byte> out);

/** Writes an archive of uncompressed members sequentially; uses ZIP64 if sizes or counts need it.
 */
class ZipWriter {
 public:
  using Sink = std::function<void(std::span<const std::byte>)>;

  /** `sink` receives the file's bytes in order; it must outlive the writer. */
  explicit ZipWriter(const Sink& sink) : sink_(sink) {}

  /** Adds a member whose data are aligned to 64 bytes in the file. Reads `bytes` twice. */
  void add(std::string_view name, std::span<const std::byte> bytes);
  /** Writes the directory; add nothing afterwards. */
  void finish();

 private:
  struct Entry {
    std::string name;
    std::uint64_t size = 0, offset = 0;
    std::uint32_t crc = 0;
  };
  void write(std::string_view text);

  const Sink& sink_;
  std::uint64_t position_ = 0;
  std::vector<Entry> entries_;
};

}  // namespace dino::format
