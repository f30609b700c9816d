// What scanning a source found, kept in a file so that the next start need not scan: believed only
// while every folder (of a tree of images) or shard (of tar files) is as it was.
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dino/data/sources/item_table.h"

namespace dino::data {

/** Where a member of an archive lies. */
struct Place {
  std::uint64_t where = 0;  ///< what its archive makes of it
  std::uint32_t size = 0;   ///< bytes
};

/** A folder or file whose change makes an index stale. Adding, removing or renaming an entry of a
 * folder changes the folder; writing into a file that is listed does not, and need not: an index
 * holds names only, but for TIFF files of several pages, which are witnesses themselves. */
struct Witness {
  std::string path;
  std::int64_t device = 0, inode = 0, size = 0;  ///< size: 0 for folders
  std::int64_t modified_ns = 0, changed_ns = 0;  ///< since 1970
  bool operator==(const Witness&) const = default;
};

/** As it is now; nothing if it is not there. */
std::optional<Witness> witness(const std::filesystem::path& path);

struct SourceIndex {
  ItemTable items;
  std::vector<std::uint64_t> where;  ///< of archives: Place per item
  std::vector<std::uint32_t> sizes;
  std::vector<Witness> witnesses;
};

class IndexCache {
 public:
  /** `folder` empty: nothing is kept. `key` names the source and how it is read. */
  IndexCache(const std::filesystem::path& folder, std::string_view key);

  /** The index kept for this key if all its witnesses are unchanged. A damaged file counts as none.
   */
  std::optional<SourceIndex> load() const;
  /** Keeps it, unless a witness changed so shortly before `scan_start_ns` (by the file system's
   * clock: 20 ms, or 2 s where it counts whole seconds) that a later change could look the same.
   * A folder that cannot be written to is no error. */
  void save(const SourceIndex& index, std::int64_t scan_start_ns) const;
  /** Now, for save(). */
  static std::int64_t now_ns();

 private:
  std::filesystem::path file_;
  std::string key_;
};

}  // namespace dino::data
