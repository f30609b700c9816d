// The tensors of a file, in its order and by name.
#pragma once
#include <cstddef>
#include <string_view>
#include <vector>

#include "dino/format/tensor_record.h"

namespace dino::format {

/** Immutable, so thread-safe; a copy has records of its own that share the bytes. */
class TensorTable {
 public:
  TensorTable() = default;
  explicit TensorTable(std::vector<TensorRecord> records);

  const std::vector<TensorRecord>& records() const { return records_; }  ///< in the order given
  /** The record of that name, the first if there are several, or nullptr; in logarithmic time. */
  const TensorRecord* find(std::string_view name) const;

 private:
  std::vector<TensorRecord> records_;
  std::vector<std::size_t> by_name_;  // places in records_, by the names there
};

}  // namespace dino::format
