// What tar shards and zip archives hold: their images, the labels beside them, and the pages of
// TIFF files; private to dino/data. An image belongs to the sample that its name begins with (up to
// the first dot, as WebDataset has it); `.cls` and `.json` members of a sample label its images.
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

// Sizes that no image has say why there is none.
inline constexpr std::uint32_t kDamaged = ~0u, kMislabelled = ~0u - 1, kTooLarge = ~0u - 2;
inline constexpr std::uint64_t kLargestLabel = 1 << 20;  ///< bytes of a .cls or .json member

struct ArchiveMember {
  std::string name;
  Place place;
};

/** Thread-compatible. */
class ArchiveIndex {
 public:
  /** How the members of an archive are looked into. */
  struct Look {
    std::function<std::string(const Place&)> label;  ///< the bytes of a .cls or .json member
    std::function<int(const Place&)> pages;          ///< of a TIFF file; both may throw Error
  };

  /** `inputs` as SourceOptions::inputs. Borrows them. */
  explicit ArchiveIndex(const std::vector<std::string>& inputs) : inputs_(inputs) {}

  /** The members of one archive. Throws what `look` throws but for Error{Format}. */
  void add(std::vector<ArchiveMember> members, const Look& look);
  /** Something in an archive that cannot be read. */
  void add_damage(std::uint64_t where);
  /** Sorted by name, so that the order does not depend on how images were packed. */
  SourceIndex finish(std::vector<Witness> witnesses);

 private:
  struct Found {
    std::uint64_t name_begin;
    Place place;
    std::uint32_t name_bytes, label, pages;  // label: in labels_, 0 = none
  };

  std::string_view name(std::size_t i) const;
  void push(std::string_view name, Place place, const std::string& label, int pages);
  void add_sample(std::span<const ArchiveMember> members, const Look& look);
  std::size_t shared_folders() const;

  const std::vector<std::string>& inputs_;
  std::string names_;
  std::vector<Found> found_;
  std::vector<std::string> labels_ = {""};
  std::map<std::string, std::uint32_t> numbers_;
};

}  // namespace dino::data
