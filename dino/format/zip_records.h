// Signatures and sizes of the records of a zip file, from PKWARE's APPNOTE; private to dino/format.
#pragma once
#include <cstddef>
#include <cstdint>

namespace dino::format {

inline constexpr std::uint64_t kLocalSignature = 0x04034b50, kCentralSignature = 0x02014b50,
                               kEndSignature = 0x06054b50, kEnd64Signature = 0x06064b50,
                               kLocator64Signature = 0x07064b50, kDescriptorSignature = 0x08074b50;
inline constexpr std::size_t kLocalBytes = 30, kCentralBytes = 46, kEndBytes = 22, kEnd64Bytes = 56,
                             kLocator64Bytes = 20;
inline constexpr std::uint64_t kIn64 = 0xFFFFFFFF;  // means that the value is in a ZIP64 record
inline constexpr std::uint64_t kHarmlessFlags =
    0x080E;  // deflate level, sizes after the data, UTF-8 names
inline constexpr std::uint64_t kSizesFollow = 0x0008;
inline constexpr std::uint64_t kStored = 0, kDeflated = 8;

}  // namespace dino::format
