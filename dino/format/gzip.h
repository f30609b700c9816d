// Reads gzip and deflate streams incrementally, and writes gzip files.
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

/** Whether the bytes begin with gzip's signature. */
bool is_gzip(std::span<const std::byte> bytes);

/** Upper bound of deflate's compression ratio, by its format. */
inline constexpr std::size_t kMaxGzipRatio = 1032;

/** The container of a deflate stream: gzip's header and checksum, or none (in members of zip
 * files). */
enum class Wrapper { Gzip, None };

/** Decompresses one gzip file (of one or several members) or one bare deflate stream.
 * Thread-compatible. */
class GzipReader : public ByteSource {
 public:
  /** Borrows `bytes`; `name` appears in errors. */
  GzipReader(std::span<const std::byte> bytes, std::string_view name,
             Wrapper wrapper = Wrapper::Gzip);
  /** Borrows `packed`, which is read in pieces of 256 KiB. */
  GzipReader(ByteSource& packed, std::string_view name, Wrapper wrapper = Wrapper::Gzip);
  ~GzipReader() override;

  /** Fills `out` from the front. Fewer bytes than asked mean the end; then gzip's checksum and
   * length have been verified. Throws Error{Format} if the stream is damaged, truncated or
   * followed by other bytes. */
  std::size_t read(std::span<std::byte> out) override;

 private:
  struct Stream;
  void refill(std::size_t at_least);
  std::unique_ptr<Stream> stream_;
  ByteSource* source_ = nullptr;
  std::vector<std::byte> buffer_;    // the last piece read from it
  std::span<const std::byte> rest_;  // the part not yet passed to zlib
  std::string name_;
  Wrapper wrapper_;
  bool finished_ = false;
};

/** The CRC-32 of gzip and zip. `before` is the CRC of the preceding bytes, for incremental use. */
std::uint32_t crc32_of(std::span<const std::byte> bytes, std::uint32_t before = 0);

/** Compresses the bytes to a gzip file. It has no name or time, so equal input gives equal output.
 */
std::vector<std::byte> gzip(std::span<const std::byte> bytes);

}  // namespace dino::format
