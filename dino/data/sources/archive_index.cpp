#include "dino/data/sources/archive_index.h"

#include <algorithm>
#include <numeric>
#include <optional>
#include <utility>

#include "dino/base/error.h"
#include "dino/data/sources/label_text.h"
#include "dino/data/sources/sample_name.h"
#include "dino/data/sources/sources.h"
#include "dino/image/codecs/sniff.h"

namespace dino::data {
namespace {

int pages_of(const ArchiveMember& member, const ArchiveIndex::Look& look) {
  if (!has_tiff_extension(member.name) || member.place.size >= kTooLarge) return 1;
  try {
    return look.pages(member.place);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::Format) throw;
    return 1;  // loading it says why
  }
}

/** The label files of one sample, each read once and only if an image asks for it. */
class LabelFiles {
 public:
  LabelFiles(std::span<const ArchiveMember> members, const ArchiveIndex::Look& look,
             std::vector<SourceNote>& notes)
      : look_(look), notes_(notes) {
    for (const ArchiveMember& member : members)
      if (const auto stem = labeled_by(member.name)) files_[*stem].push_back(&member);
  }

  /** The label of the nearest file that has one; empty if there is none. */
  std::string of(std::string_view image) {
    if (files_.empty()) return "";
    for (const std::string_view stem : label_stems(image))
      if (const auto found = files_.find(stem); found != files_.end()) {
        const auto [known, is_new] = labels_.try_emplace(stem);
        if (is_new) known->second = read(found->second);
        if (!known->second.empty()) return known->second;
      }
    return "";
  }

 private:
  /** A .cls file takes precedence over a .json file, since it only has a label. */
  std::string read(std::vector<const ArchiveMember*>& files) {
    std::ranges::stable_sort(files, {}, &LabelFiles::is_json);
    for (const ArchiveMember* const file : files) try {
        if (file->place.size > kLargestLabel)
          fail(ErrorKind::Format, "[read label] more than {} bytes", kLargestLabel);
        std::string label = parse_label(look_.label(file->place), is_json(file));
        if (!label.empty()) return label;
      } catch (const Error& error) {
        if (error.kind() != ErrorKind::Format) throw;
        add_note(notes_, "label files are no label", file->name, error.what());
      }
    return "";
  }

  static bool is_json(const ArchiveMember* member) { return (member->name.back() | 0x20) == 'n'; }

  const ArchiveIndex::Look& look_;
  std::vector<SourceNote>& notes_;
  std::map<std::string_view, std::vector<const ArchiveMember*>> files_;
  std::map<std::string_view, std::string> labels_;
};

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
  const bool labeled = labels_.size() > 1;
  const std::size_t shared = labeled ? 0 : shared_folders();
  const bool by_folder = !labeled && folders_name_classes(shared);
  SourceIndex index;
  index.witnesses = std::move(witnesses);
  for (const std::uint32_t i : order) {
    const Found& item = found_[i];
    index.items.add(name(i),
                    by_folder ? folder_class(i, shared) : std::string_view(labels_[item.label]),
                    static_cast<int>(item.pages));
    index.where.push_back(item.place.where);
    index.sizes.push_back(item.place.size);
  }
  index.items.notes() = std::move(notes_);
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

/** Whether to list a member; notes images of unsupported formats. */
bool ArchiveIndex::is_image(const ArchiveMember& member, const Look& look) {
  const MemberUse use = use_of(member.name, inputs_);
  if (use == MemberUse::Image) return true;
  if (!inputs_.empty()) return false;
  std::vector<std::byte> head;
  if (use == MemberUse::Unknown && member.place.size < kTooLarge) try {
      head = look.head(member.place);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::Format) throw;
    }
  if (image::kind_of(head) != image::ImageKind::Unknown) return true;
  note_unread(notes_, member.name, head);
  return false;
}

void ArchiveIndex::add_sample(std::span<const ArchiveMember> members, const Look& look) {
  LabelFiles labels(members, look, notes_);
  for (const ArchiveMember& member : members)
    if (is_image(member, look))
      push(member.name, member.place, labels.of(member.name), pages_of(member, look));
}

std::string_view ArchiveIndex::folder_class(std::size_t i, std::size_t shared) const {
  return first_level(name(i).substr(std::min(shared, name(i).size())));
}

/** Whether each readable image is in a folder below the shared ones. */
bool ArchiveIndex::folders_name_classes(std::size_t shared) {
  std::size_t within = 0;
  std::string_view outside;
  for (std::size_t i = 0; i < found_.size(); ++i) {
    if (!folder_class(i, shared).empty())
      ++within;
    else if (found_[i].place.size != kDamaged && outside.empty())
      outside = name(i);
  }
  if (within > 0 && !outside.empty())
    note("image lies in no sub-folder, so that folders name no classes", outside);
  return outside.empty();
}

/** The length of the leading folders shared by all names. */
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
