#include "dino/format/tensor_table.h"

#include <algorithm>
#include <numeric>

namespace dino::format {

TensorTable::TensorTable(std::vector<TensorRecord> records)
    : records_(std::move(records)), by_name_(records_.size()) {
  std::iota(by_name_.begin(), by_name_.end(), std::size_t{0});
  std::ranges::stable_sort(by_name_, {},
                           [&](std::size_t i) -> const std::string& { return records_[i].name; });
}

const TensorRecord* TensorTable::find(std::string_view name) const {
  const auto name_of = [&](std::size_t i) { return std::string_view(records_[i].name); };
  const auto found = std::ranges::lower_bound(by_name_, name, {}, name_of);
  return found != by_name_.end() && name_of(*found) == name ? &records_[*found] : nullptr;
}

}  // namespace dino::format
