// An array that owns its bytes: what the readers of single-array files return.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "dino/base/error.h"
#include "dino/format/tensor_record.h"

namespace dino::format {

/** Row-major, native (little-endian) byte order. */
struct Array {
  DType dtype = DType::F32;
  std::vector<std::int64_t> shape;
  std::vector<std::byte> bytes;

  /** Borrows this array under a name. */
  TensorRecord record(std::string name = "") const {
    return {std::move(name), dtype, shape, bytes};
  }

  /** The elements; T must have the size of one item. */
  template <typename T>
  std::span<const T> as() const {
    DINO_ASSERT(sizeof(T) == item_bytes(dtype));
    return {reinterpret_cast<const T*>(bytes.data()), bytes.size() / sizeof(T)};
  }
};

}  // namespace dino::format
