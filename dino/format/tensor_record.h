// A named array in a file, the common type of all readers and writers. It is independent of Torch.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace dino::format {

/** Element types. The 8-bit floats can be read and written but not converted. */
enum class DType {
  F64,
  F32,
  F16,
  BF16,
  I64,
  I32,
  I16,
  I8,
  U64,
  U32,
  U16,
  U8,
  F8_E4M3,
  F8_E5M2,
  Bool
};

std::size_t item_bytes(DType dtype);
/** The safetensors name: "F32", "BF16", ... */
std::string_view dtype_name(DType dtype);
/** The DType of that safetensors name, or nothing. */
std::optional<DType> dtype_from_name(std::string_view name);

/** Row-major, little-endian bytes of any alignment, and an owner that keeps them alive. Copies
 * share both. */
struct TensorRecord {
  std::string name;
  DType dtype = DType::F32;
  std::vector<std::int64_t> shape;
  std::span<const std::byte> bytes;
  /// Owner of the bytes; null if the caller keeps them alive
  std::shared_ptr<const void> owner = {};
};

/** The product of the sizes, 1 without dimensions. Throws Error{Format} on a negative size or
 * overflow. */
std::int64_t element_count(std::span<const std::int64_t> shape);
/** element_count() * item_bytes(), with the same errors. */
std::int64_t byte_count(DType dtype, std::span<const std::int64_t> shape);

}  // namespace dino::format
