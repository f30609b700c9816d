// The chunks of a PNG file, one after another; neither their checksums nor their order are checked.
#pragma once
#include <optional>
#include <string_view>

#include "dino/image/codecs/byte_reader.h"

namespace dino::image {

struct PngChunk {
  std::string_view type;  ///< "IHDR"
  Bytes content;          ///< what there is of it
  Bytes whole;            ///< with length, type and checksum

  /** Pixels depend on it: a capital begins its name. */
  bool is_critical() const { return type[0] >= 'A' && type[0] <= 'Z'; }
};

/** Borrows the bytes, which begin with the signature. */
class PngChunks {
 public:
  explicit PngChunks(Bytes bytes) : reader_(bytes, Endian::Big), bytes_(bytes) {}

  /** Nothing at the end, or where no chunk begins. */
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

  /** What follows the chunks seen. */
  Bytes rest() const { return reader_.part(at_, bytes_.size()); }

 private:
  ByteReader reader_;
  Bytes bytes_;
  std::size_t at_ = 8;
};

}  // namespace dino::image
