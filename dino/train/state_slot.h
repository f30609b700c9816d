// One named piece of training state, writable in place: what a checkpoint saves and restores.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "dino/format/tensor_record.h"

namespace dino::train {

/** Borrowed memory of `shape` and `dtype`; valid while its owner lives. */
struct StateSlot {
  std::string name;
  std::vector<std::int64_t> shape;
  format::DType dtype = format::DType::F32;
  void* data = nullptr;

  std::size_t bytes() const {
    return static_cast<std::size_t>(format::element_count(shape)) * format::item_bytes(dtype);
  }
};

}  // namespace dino::train
