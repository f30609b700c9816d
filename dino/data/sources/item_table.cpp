#include "dino/data/sources/item_table.h"

#include <algorithm>
#include <limits>

#include "dino/base/error.h"

namespace dino::data {
namespace {

bool is_number(const std::string& text) {
  return !text.empty() && text.size() < 18 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

void sort_classes(std::vector<std::string>& names) {
  std::ranges::sort(names);
  if (std::ranges::all_of(names, is_number))
    std::ranges::stable_sort(names, {}, [](const std::string& name) { return std::stoll(name); });
}

void ItemTable::add(std::string_view name, std::string_view label, int pages) {
  if (pages > 1) set_pages(begins_.size(), static_cast<std::uint64_t>(pages));
  begins_.push_back(names_.size());
  names_ += name;
  names_ += '\0';
  if (label.empty()) {
    if (!labels_.empty()) labels_.push_back(-1);
    return;
  }
  labels_.resize(begins_.size() - 1, -1);  // those before the first label
  auto found = found_.find(label);
  if (found == found_.end())
    found = found_.emplace(std::string(label), static_cast<std::int32_t>(found_.size())).first;
  labels_.push_back(found->second);
}

void ItemTable::forget_labels() {
  labels_ = {};
  found_.clear();
}

void ItemTable::set_pages(std::uint64_t item, std::uint64_t pages) {
  const std::uint64_t first = item + further_pages_;
  if (first + pages > std::numeric_limits<std::uint32_t>::max())
    fail(ErrorKind::Data, "[open data set] more than 2^32 pages; split the data set");
  paged_items_.push_back(static_cast<std::uint32_t>(item));
  paged_samples_.push_back(static_cast<std::uint32_t>(first));
  further_pages_ += pages - 1;
}

ItemTable::Sample ItemTable::sample(std::int64_t index) const {
  const auto behind = std::upper_bound(paged_samples_.begin(), paged_samples_.end(), index);
  if (behind == paged_samples_.begin()) return {index};
  // The last item with pages that begins at or before this sample.
  const auto next = static_cast<std::size_t>(behind - paged_samples_.begin()), last = next - 1;
  const std::int64_t further =  // pages there are up to its last one, beyond one per item
      next < paged_items_.size() ? std::int64_t{paged_samples_[next]} - paged_items_[next]
                                 : static_cast<std::int64_t>(further_pages_);
  const std::int64_t item = paged_items_[last];
  if (index > item + further) return {index - further};
  return {item, static_cast<int>(index - paged_samples_[last])};
}

void ItemTable::seal() {
  names_.shrink_to_fit();
  begins_.shrink_to_fit();
  labels_.shrink_to_fit();
  paged_items_.shrink_to_fit();
  paged_samples_.shrink_to_fit();
  for (const auto& [name, number] : found_) class_names_.push_back(name);
  sort_classes(class_names_);
  std::vector<std::int32_t> sorted(found_.size());
  for (std::size_t i = 0; i < class_names_.size(); ++i)
    sorted[static_cast<std::size_t>(found_.at(class_names_[i]))] = static_cast<std::int32_t>(i);
  for (std::int32_t& label : labels_)
    if (label >= 0) label = sorted[static_cast<std::size_t>(label)];
  found_.clear();
}

std::string_view ItemTable::name(std::int64_t item) const {
  const auto i = static_cast<std::size_t>(item);
  const std::uint64_t begin = begins_.at(i);
  const std::uint64_t end = i + 1 < begins_.size() ? begins_[i + 1] : names_.size();
  return std::string_view(names_).substr(begin, end - begin - 1);
}

std::int64_t ItemTable::label(std::int64_t item) const {
  return labels_.empty() ? -1 : labels_.at(static_cast<std::size_t>(item));
}

void ItemTable::rename_classes(std::vector<std::string> names) {
  DINO_ASSERT(names.size() == class_names_.size());
  class_names_ = std::move(names);
}

std::size_t ItemTable::bytes_beyond_names() const {
  return begins_.capacity() * sizeof(begins_[0]) + labels_.capacity() * sizeof(labels_[0]) +
         paged_items_.capacity() * sizeof(paged_items_[0]) +
         paged_samples_.capacity() * sizeof(paged_samples_[0]) + begins_.size();  // the NULs
}

}  // namespace dino::data
