// An array that owns its bytes, as the readers of single-array files (NPY, IDX) return it.
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

/** A dense array in row-major order, in native (little-endian) byte order. */
struct Array {
  DType dtype = DType::F32;
  std::vector<std::int64_t> shape;
  std::vector<std::byte> bytes;

  /** A record that borrows this array's bytes. */
  TensorRecord record(std::string name = "") const {
    return {std::move(name), dtype, shape, bytes};
  }

  /** The elements as T. Checks only that the size of T is the size of an item, not its kind. */
  template <typename T>
  std::span<const T> as() const {
    DINO_ASSERT(sizeof(T) == item_bytes(dtype));
    return {reinterpret_cast<const T*>(bytes.data()), bytes.size() / sizeof(T)};
  }
};

}  // namespace dino::format
