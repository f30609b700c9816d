#include "dino/data/item_table.h"

#include <algorithm>

#include "dino/base/error.h"

namespace dino::data {
namespace {

bool is_number(const std::string& text) {
  return !text.empty() && text.size() < 18 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

void ItemTable::add(std::string_view name, std::string_view label) {
  begins_.push_back(names_.size());
  names_ += name;
  names_ += '\0';
  unlabelled_ = unlabelled_ || label.empty();
  if (unlabelled_) {
    labels_ = {};
    return;
  }
  auto found = found_.find(label);
  if (found == found_.end())
    found = found_.emplace(std::string(label), static_cast<std::int32_t>(found_.size())).first;
  labels_.push_back(found->second);
}

void ItemTable::seal() {
  names_.shrink_to_fit();
  begins_.shrink_to_fit();
  labels_.shrink_to_fit();
  if (!unlabelled_) {
    for (const auto& [name, number] : found_) class_names_.push_back(name);
    if (std::all_of(class_names_.begin(), class_names_.end(), is_number))
      std::stable_sort(
          class_names_.begin(), class_names_.end(),
          [](const std::string& a, const std::string& b) { return std::stoll(a) < std::stoll(b); });
    std::vector<std::int32_t> sorted(found_.size());
    for (std::size_t i = 0; i < class_names_.size(); ++i)
      sorted[static_cast<std::size_t>(found_.at(class_names_[i]))] = static_cast<std::int32_t>(i);
    for (std::int32_t& label : labels_) label = sorted[static_cast<std::size_t>(label)];
  }
  found_.clear();
}

std::string_view ItemTable::name(std::int64_t index) const {
  const auto i = static_cast<std::size_t>(index);
  const std::uint64_t begin = begins_.at(i);
  const std::uint64_t end = i + 1 < begins_.size() ? begins_[i + 1] : names_.size();
  return std::string_view(names_).substr(begin, end - begin - 1);
}

std::int64_t ItemTable::label(std::int64_t index) const {
  return labels_.empty() ? -1 : labels_.at(static_cast<std::size_t>(index));
}

void ItemTable::rename_classes(std::vector<std::string> names) {
  DINO_ASSERT(names.size() == class_names_.size());
  class_names_ = std::move(names);
}

std::size_t ItemTable::bytes_beyond_names() const {
  return begins_.capacity() * sizeof(begins_[0]) + labels_.capacity() * sizeof(labels_[0]) +
         begins_.size();  // the NULs
}

}  // namespace dino::data
