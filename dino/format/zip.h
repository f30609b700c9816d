// ZIP archives: the container of torch.save (members stored, seen as views into the file) and of
// images (members stored or deflated, listed and read one by one).
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

/** The members in the order of the central directory, as views into `file`. ZIP64 is understood.
 * Throws Error{Format} naming `name` and the member: compressed or encrypted members, names that
 * repeat or that lead out of a folder, records that contradict each other, members that overlap or
 * leave the file. Checksums are not verified (torch.save can be told to write none). */
std::vector<ZipMember> read_stored_zip(std::span<const std::byte> file, std::string_view name);

/** Where a member lies. */
struct ZipEntry {
  std::string_view name;
  std::uint64_t begin = 0;   ///< of its local header, in the file
  std::uint64_t packed = 0;  ///< bytes in the file
};

/** The files in the archive, in the order of its directory; folders are passed over. Reads the
 * directory, not the members, and takes what other programs read: bytes in front of the archive
 * (programs that unpack themselves) and behind it, counts that wrapped at 65,536, backslashes and
 * odd paths in names (never use them as paths), members of any method. Throws Error{Format} as
 * above. */
std::vector<ZipEntry> list_zip(std::span<const std::byte> file, std::string_view name);

/** Gives the bytes of that member to `sink`, piece by piece and unpacked; they are checked against
 * its CRC, in front of the data or behind them. Throws Error{Format} naming file and member where
 * they are damaged, encrypted, packed by a method other than stored and deflated or leave the file,
 * Error{Io}. Thread-safe. */
void unpack_zip_member(const RandomAccessFile& file, const ZipEntry& entry,
                       const std::function<void(std::span<const std::byte>)>& sink);

/** Fills `out` with the member's first bytes, fewer if it has fewer; not checked against its CRC.
 * Throws as above. Thread-safe. */
std::size_t read_zip_head(const RandomAccessFile& file, const ZipEntry& entry,
                          std::span<std::byte> out);

/** Writes such an archive front to back; turns to ZIP64 where sizes or counts need it. */
class ZipWriter {
 public:
  using Sink = std::function<void(std::span<const std::byte>)>;

  /** `sink` receives the file's bytes in order; it must outlive the writer. */
  explicit ZipWriter(const Sink& sink) : sink_(sink) {}

  /** A member whose bytes begin at a multiple of 64 of the file. Reads `bytes` twice. */
  void add(std::string_view name, std::span<const std::byte> bytes);
  /** The directory; nothing may follow. */
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
