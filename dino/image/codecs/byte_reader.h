// Reads integers at offsets of untrusted bytes, never past their end.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace dino::image {

using Bytes = std::span<const std::byte>;

enum class Endian { Little, Big };

/** Bounds-checked access to bytes, which it borrows. */
class ByteReader {
 public:
  ByteReader(Bytes bytes, Endian endian) : bytes_(bytes), endian_(endian) {}

  std::size_t size() const { return bytes_.size(); }

  /** The number at offset `at`, or nothing if it would reach past the end. */
  std::optional<std::uint8_t> u8(std::size_t at) const { return number<std::uint8_t>(at); }
  std::optional<std::uint16_t> u16(std::size_t at) const { return number<std::uint16_t>(at); }
  std::optional<std::uint32_t> u32(std::size_t at) const { return number<std::uint32_t>(at); }

  /** The bytes [at, at + count), as far as they exist. */
  Bytes part(std::size_t at, std::size_t count) const {
    if (at >= bytes_.size()) return {};
    return bytes_.subspan(at, count < bytes_.size() - at ? count : bytes_.size() - at);
  }

 private:
  template <typename Number>
  std::optional<Number> number(std::size_t at) const {
    constexpr std::size_t kSize = sizeof(Number);
    if (bytes_.size() < kSize || at > bytes_.size() - kSize) return std::nullopt;
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < kSize; ++i) {
      const std::size_t shift = 8 * (endian_ == Endian::Little ? i : kSize - 1 - i);
      value |= std::to_integer<std::uint32_t>(bytes_[at + i]) << shift;
    }
    return static_cast<Number>(value);
  }

  Bytes bytes_;
  Endian endian_;
};

}  // namespace dino::image
