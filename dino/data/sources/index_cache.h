// Caches the index of a source in a file, so that the next start need not scan it. An entry is
// valid only while every folder (of a tree of images) or shard (of tar files) is unchanged.
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dino/data/sources/item_table.h"

namespace dino::data {

/** The location of a member in an archive. */
struct Place {
  std::uint64_t where = 0;  ///< an offset whose meaning depends on the kind of archive
  std::uint32_t size = 0;   ///< bytes
};

/** The state of a folder or file on which an index depends. Adding, removing or renaming an entry
 * changes its folder. Writing to a listed file does not, but an index holds only names, except for
 * TIFF files of several pages, which have witnesses of their own. */
struct Witness {
  std::string path;
  std::int64_t device = 0, inode = 0, size = 0;  ///< size: 0 for folders
  std::int64_t modified_ns = 0, changed_ns = 0;  ///< since 1970
  bool operator==(const Witness&) const = default;
};

/** The present state of `path`; nothing if it does not exist. */
std::optional<Witness> witness(const std::filesystem::path& path);

struct SourceIndex {
  ItemTable items;
  std::vector<std::uint64_t> where;  ///< for archives: Place::where of each item
  std::vector<std::uint32_t> sizes;
  std::vector<Witness> witnesses;
};

class IndexCache {
 public:
  /** `folder` holds the cache files; if it is empty, nothing is cached. `key` identifies the source
   * and how it is read. */
  IndexCache(const std::filesystem::path& folder, std::string_view key);

  /** The cached index of this key, if all its witnesses are unchanged. A damaged file counts as
   * missing. */
  std::optional<SourceIndex> load() const;
  /** Stores the index, unless a witness changed so shortly before `scan_start_ns` (20 ms, or 2 s on
   * file systems with times in seconds) that a later change could have the same time stamp. A
   * failure to write is ignored. */
  void save(const SourceIndex& index, std::int64_t scan_start_ns) const;
  /** The present time for save(), in ns since 1970. */
  static std::int64_t now_ns();

 private:
  std::filesystem::path file_;
  std::string key_;
};

}  // namespace dino::data
