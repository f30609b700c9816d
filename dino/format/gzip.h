// gzip streams: reading piece by piece from memory or from a source, writing whole.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dino/base/byte_source.h"

namespace dino::format {

/** True if the bytes start like a gzip file, whatever its name. */
bool is_gzip(std::span<const std::byte> bytes);

/** No deflate stream holds more than this many bytes for each of its own. */
inline constexpr std::size_t kMaxGzipRatio = 1032;

/** What is around a deflate stream: gzip's header and checksum, or nothing (a member of a zip
 * file).
 */
enum class Wrapper { Gzip, None };

/** Unpacks one gzip file (of one or several members), or one bare deflate stream.
 * Thread-compatible. */
class GzipReader : public ByteSource {
 public:
  /** Borrows `bytes`; `name` appears in errors. */
  GzipReader(std::span<const std::byte> bytes, std::string_view name,
             Wrapper wrapper = Wrapper::Gzip);
  /** Borrows `packed`, which is read in pieces of 256 KiB. */
  GzipReader(ByteSource& packed, std::string_view name, Wrapper wrapper = Wrapper::Gzip);
  ~GzipReader() override;

  /** Fills `out` from the front; fewer bytes than asked mean the end, where checksum and length
   * have been verified (of gzip). Throws Error{Format} on damage, on a stream that is cut short and
   * on bytes behind its end. */
  std::size_t read(std::span<std::byte> out) override;

 private:
  struct Stream;
  void refill(std::size_t at_least);
  std::unique_ptr<Stream> stream_;
  ByteSource* source_ = nullptr;
  std::vector<std::byte> buffer_;    // what came from it last
  std::span<const std::byte> rest_;  // not yet given to zlib
  std::string name_;
  Wrapper wrapper_;
  bool finished_ = false;
};

/** CRC-32 as gzip and zip have it, of these bytes after those that gave `before`. */
std::uint32_t crc32_of(std::span<const std::byte> bytes, std::uint32_t before = 0);

/** The bytes as one gzip file without name and time: equal input gives equal output. */
std::vector<std::byte> gzip(std::span<const std::byte> bytes);

}  // namespace dino::format
