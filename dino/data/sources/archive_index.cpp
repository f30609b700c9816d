#include "dino/data/sources/archive_index.h"

#include <algorithm>
#include <numeric>
#include <optional>
#include <utility>

#include "dino/base/error.h"
#include "dino/data/sources/sample_name.h"
#include "dino/data/sources/sources.h"

namespace dino::data {
namespace {

int pages_of(const ArchiveMember& member, const ArchiveIndex::Look& look) {
  if (!has_tiff_extension(member.name) || member.place.size == kTooLarge) return 1;
  try {
    return look.pages(member.place);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::Format) throw;
    return 1;  // loading it says why
  }
}

}  // namespace

void ArchiveIndex::add(std::vector<ArchiveMember> members, const Look& look) {
  std::stable_sort(members.begin(), members.end(),
                   [](const ArchiveMember& a, const ArchiveMember& b) {
                     return sample_key(a.name) < sample_key(b.name);
                   });
  for (std::size_t begin = 0, end; begin < members.size(); begin = end) {
    const std::string_view key = sample_key(members[begin].name);
    for (end = begin + 1; end < members.size() && sample_key(members[end].name) == key;) ++end;
    add_sample({members.begin() + static_cast<std::ptrdiff_t>(begin),
                members.begin() + static_cast<std::ptrdiff_t>(end)},
               look);
  }
}

void ArchiveIndex::add_damage(std::uint64_t where) {
  push("~damaged", {where, kDamaged}, "", 1);
}

SourceIndex ArchiveIndex::finish(std::vector<Witness> witnesses) {
  std::vector<std::uint32_t> order(found_.size());
  std::iota(order.begin(), order.end(), 0u);
  std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
    const int names = name(a).compare(name(b));
    return names != 0 ? names < 0 : found_[a].place.where < found_[b].place.where;
  });
  const std::size_t shared = labels_.size() > 1 ? 0 : shared_folders();
  const auto text = [&](std::uint32_t i) {
    return labels_.size() > 1 ? std::string_view(labels_[found_[i].label])
                              : first_level(name(i).substr(std::min(shared, name(i).size())));
  };
  const auto readable = [&](std::uint32_t i) {
    return found_[i].place.size != kDamaged && found_[i].place.size != kMislabelled;
  };
  // What cannot be read has any label, so that the others keep theirs.
  const auto first = std::find_if(order.begin(), order.end(), readable);
  SourceIndex index;
  index.witnesses = std::move(witnesses);
  for (const std::uint32_t i : order) {
    const Found& item = found_[i];
    const std::string_view label = readable(i) || first == order.end() ? text(i) : text(*first);
    index.items.add(name(i), label, static_cast<int>(item.pages));
    index.where.push_back(item.place.where);
    index.sizes.push_back(item.place.size);
  }
  index.items.seal();
  index.where.shrink_to_fit();
  index.sizes.shrink_to_fit();
  return index;
}

std::string_view ArchiveIndex::name(std::size_t i) const {
  return std::string_view(names_).substr(found_[i].name_begin, found_[i].name_bytes);
}

void ArchiveIndex::push(std::string_view name, Place place, const std::string& label, int pages) {
  std::uint32_t number = 0;
  if (!label.empty()) {
    number = numbers_.try_emplace(label, static_cast<std::uint32_t>(labels_.size())).first->second;
    if (number == labels_.size()) labels_.push_back(label);
  }
  found_.push_back({names_.size(), place, static_cast<std::uint32_t>(name.size()), number,
                    static_cast<std::uint32_t>(pages)});
  names_ += name;
}

void ArchiveIndex::add_sample(std::span<const ArchiveMember> members, const Look& look) {
  std::string label;
  bool readable = true;
  for (const ArchiveMember& member : members) {
    const std::string extension = sample_extension(member.name);
    if (extension != "cls" && extension != "json") continue;
    try {
      if (member.place.size > kLargestLabel) fail(ErrorKind::Format, "[read label] too long");
      const std::string found = parse_label(look.label(member.place), extension == "json");
      if (!found.empty()) label = found;
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::Format) throw;
      readable = false;
    }
  }
  for (const ArchiveMember& member : members)
    if (is_input(member.name, inputs_))
      push(member.name, {member.place.where, readable ? member.place.size : kMislabelled}, label,
           pages_of(member, look));
}

/** Length of the folders in front that all names have in common. */
std::size_t ArchiveIndex::shared_folders() const {
  std::optional<std::string_view> shared;
  for (std::size_t i = 0; i < found_.size(); ++i) {
    if (found_[i].place.size == kDamaged) continue;
    const std::string_view folders = name(i).substr(0, name(i).rfind('/') + 1);
    if (!shared) shared = folders;
    const auto differ =
        std::mismatch(shared->begin(), shared->end(), folders.begin(), folders.end());
    shared = shared->substr(0, static_cast<std::size_t>(differ.first - shared->begin()));
    shared = shared->substr(0, shared->rfind('/') + 1);
  }
  return shared ? shared->size() : 0;
}

}  // namespace dino::data
