// Builds the index of tar shards and zip archives: their images, labels and the pages of TIFF
// files; private to dino/data. `.cls` and `.json` members label the images whose names begin with
// theirs (sample_name.h).
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dino/data/sources/index_cache.h"

namespace dino::data {

// Values of Place::size that mark unusable members.
inline constexpr std::uint32_t kDamaged = ~0u, kRefused = ~0u - 1, kTooLarge = ~0u - 2;
inline constexpr std::uint64_t kLargestLabel = 1 << 20;  ///< bytes of a .cls or .json member

struct ArchiveMember {
  std::string name;
  Place place;
};

/** Collects the members of archives. Thread-compatible. */
class ArchiveIndex {
 public:
  /** Callbacks that read members of an archive; all may throw Error. */
  struct Look {
    std::function<std::string(const Place&)> label;  ///< reads a .cls or .json member
    std::function<int(const Place&)> pages;          ///< counts the pages of a TIFF file
    /// Reads the first kTellingBytes, or all if there are fewer
    std::function<std::vector<std::byte>(const Place&)> head;
  };

  /** `inputs` is SourceOptions::inputs, which it borrows. */
  explicit ArchiveIndex(const std::vector<std::string>& inputs) : inputs_(inputs) {}

  /** Adds the members of one archive. Rethrows the errors of `look` except Error{Format}. */
  void add(std::vector<ArchiveMember> members, const Look& look);
  /** Adds an entry for a damaged part of an archive. */
  void add_damage(std::uint64_t where);
  /** Adds a note; see add_note(). */
  void note(std::string_view what, std::string_view example, std::string_view why = "") {
    add_note(notes_, what, example, why);
  }
  /** Returns the index, sorted by name so that it does not depend on the order in the archives. */
  SourceIndex finish(std::vector<Witness> witnesses);

 private:
  struct Found {
    std::uint64_t name_begin;
    Place place;
    std::uint32_t name_bytes, label, pages;  // label: index into labels_, 0 = none
  };

  std::string_view name(std::size_t i) const;
  void push(std::string_view name, Place place, const std::string& label, int pages);
  void add_sample(std::span<const ArchiveMember> members, const Look& look);
  bool is_image(const ArchiveMember& member, const Look& look);
  std::size_t shared_folders() const;
  std::string_view folder_class(std::size_t i, std::size_t shared) const;
  bool folders_name_classes(std::size_t shared);

  const std::vector<std::string>& inputs_;
  std::string names_;
  std::vector<Found> found_;
  std::vector<std::string> labels_ = {""};
  std::map<std::string, std::uint32_t> numbers_;
  std::vector<SourceNote> notes_;
};

}  // namespace dino::data
