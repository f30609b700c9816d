// Iterates over the chunks of a PNG file, without checking their checksums or their order.
#pragma once
#include <optional>
#include <string_view>

#include "dino/image/codecs/byte_reader.h"

namespace dino::image {

struct PngChunk {
  std::string_view type;  ///< "IHDR"
  Bytes content;          ///< shorter than the file declares if it is truncated
  Bytes whole;            ///< content with length, type and checksum

  /** Whether pixels depend on the chunk: its name begins with a capital. */
  bool is_critical() const { return type[0] >= 'A' && type[0] <= 'Z'; }
};

/** Iterates over a PNG file's bytes, which begin with the signature and are borrowed. */
class PngChunks {
 public:
  explicit PngChunks(Bytes bytes) : reader_(bytes, Endian::Big), bytes_(bytes) {}

  /** The next chunk; nothing at the end or where no chunk begins. */
  std::optional<PngChunk> next() {
    const auto length = reader_.u32(at_);
    const Bytes type = reader_.part(at_ + 4, 4);
    if (!length || type.size() < 4) return std::nullopt;
    const PngChunk chunk{{reinterpret_cast<const char*>(type.data()), 4},
                         reader_.part(at_ + 8, *length),
                         reader_.part(at_, std::size_t{12} + *length)};
    at_ += chunk.whole.size();
    return chunk;
  }

  /** The bytes after the chunks returned so far. */
  Bytes rest() const { return reader_.part(at_, bytes_.size()); }

 private:
  ByteReader reader_;
  Bytes bytes_;
  std::size_t at_ = 8;
};

}  // namespace dino::image
