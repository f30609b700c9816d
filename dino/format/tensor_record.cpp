// Names and sizes of the element types.
#include "dino/format/tensor_record.h"

#include <array>
#include <limits>

#include "dino/base/error.h"

namespace dino::format {
namespace {

struct DTypeInfo {
  DType dtype;
  std::string_view name;
  std::size_t bytes;
};

constexpr std::array kDTypes = {
    DTypeInfo{DType::F64, "F64", 8},         DTypeInfo{DType::F32, "F32", 4},
    DTypeInfo{DType::F16, "F16", 2},         DTypeInfo{DType::BF16, "BF16", 2},
    DTypeInfo{DType::I64, "I64", 8},         DTypeInfo{DType::I32, "I32", 4},
    DTypeInfo{DType::I16, "I16", 2},         DTypeInfo{DType::I8, "I8", 1},
    DTypeInfo{DType::U64, "U64", 8},         DTypeInfo{DType::U32, "U32", 4},
    DTypeInfo{DType::U16, "U16", 2},         DTypeInfo{DType::U8, "U8", 1},
    DTypeInfo{DType::F8_E4M3, "F8_E4M3", 1}, DTypeInfo{DType::F8_E5M2, "F8_E5M2", 1},
    DTypeInfo{DType::Bool, "BOOL", 1},
};

const DTypeInfo& info(DType dtype) {
  for (const DTypeInfo& entry : kDTypes) {
    if (entry.dtype == dtype) return entry;
  }
  fail(ErrorKind::Internal, "[tensor record] no such dtype: {}", static_cast<int>(dtype));
}

/** a x b of non-negative numbers. */
std::int64_t multiply(std::int64_t a, std::int64_t b) {
  if (b != 0 && a > std::numeric_limits<std::int64_t>::max() / b) {
    fail(ErrorKind::Format, "[tensor record] the shape holds more than 2^63 bytes");
  }
  return a * b;
}

}  // namespace

std::size_t item_bytes(DType dtype) {
  return info(dtype).bytes;
}

std::string_view dtype_name(DType dtype) {
  return info(dtype).name;
}

std::optional<DType> dtype_from_name(std::string_view name) {
  for (const DTypeInfo& entry : kDTypes) {
    if (entry.name == name) return entry.dtype;
  }
  return std::nullopt;
}

std::int64_t element_count(std::span<const std::int64_t> shape) {
  std::int64_t count = 1;
  bool empty = false;
  for (const std::int64_t size : shape) {
    if (size < 0) fail(ErrorKind::Format, "[tensor record] negative size in shape: {}", size);
    // Overflow is an error even if another size is zero, so that the result does not depend on the
    // order of the sizes.
    if (size == 0) {
      empty = true;
    } else {
      count = multiply(count, size);
    }
  }
  return empty ? 0 : count;
}

std::int64_t byte_count(DType dtype, std::span<const std::int64_t> shape) {
  return multiply(element_count(shape), static_cast<std::int64_t>(item_bytes(dtype)));
}

}  // namespace dino::format
