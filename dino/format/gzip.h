// gzip streams in memory: reading piece by piece, writing whole.
#pragma once
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace dino::format {

/** True if the bytes start like a gzip file, whatever its name. */
bool is_gzip(std::span<const std::byte> bytes);

/** No deflate stream holds more than this many bytes for each of its own. */
inline constexpr std::size_t kMaxGzipRatio = 1032;

/** Unpacks one gzip file (of one or several members) that lies in memory. Thread-compatible. */
class GzipReader {
 public:
  /** Borrows `bytes`; `name` appears in errors. */
  GzipReader(std::span<const std::byte> bytes, std::string_view name);
  ~GzipReader();

  /** Fills `out` from the front; fewer bytes than asked mean the end, where checksum and length
   * have been verified. Throws Error{Format} on damage, on a stream that is cut short and on bytes
   * behind its end. */
  std::size_t read(std::span<std::byte> out);

 private:
  struct Stream;
  std::unique_ptr<Stream> stream_;
  std::span<const std::byte> rest_;  // not yet given to zlib
  std::string name_;
  bool finished_ = false;
};

/** The bytes as one gzip file without name and time: equal input gives equal output. */
std::vector<std::byte> gzip(std::span<const std::byte> bytes);

}  // namespace dino::format
