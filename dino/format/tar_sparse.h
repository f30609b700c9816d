// Parses sparse members of tar archives, of which only parts are stored, the rest being zeros:
// GNU's old header and the three pax forms (0.0, 0.1, 1.0). Private to dino/format.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace dino::format {

struct SparseExtent {
  std::uint64_t offset = 0, bytes = 0;  ///< in the expanded file
};

struct SparseMap {
  std::uint64_t size = 0;             ///< bytes of the expanded file
  std::vector<SparseExtent> extents;  ///< stored contiguously, in this order
};

/** Collects the pax records that describe a sparse member. */
class PaxSparse {
 public:
  /** Adds the record "GNU.sparse.KEY". */
  void add(std::string_view key, std::string_view value);

  bool present() const { return present_; }
  const std::optional<std::string>& name() const { return name_; }
  /** Whether the map is stored before the data (form 1.0). */
  bool map_in_data() const { return major_ == 1; }
  /** The map, valid after all records: from the records or, if map_in_data(), from `numbers`, which
   * are the count of extents, then offset and bytes of each. Nothing if it is invalid. */
  std::optional<SparseMap> map() const;
  std::optional<SparseMap> map(const std::vector<std::uint64_t>& numbers) const;

 private:
  bool present_ = false, damaged_ = false;
  std::uint64_t major_ = 0, size_ = 0;
  std::optional<std::string> name_;
  std::vector<std::uint64_t> numbers_;  // offset, bytes, offset, ...
};

/** The map of an old GNU header; `next_block` returns the extension blocks after it. Nothing if it
 * is invalid. */
std::optional<SparseMap> old_sparse_map(std::string_view header,
                                        const std::function<std::string_view()>& next_block);

/** Parses the numbers of a map that is stored before the data, one decimal number per line.
 * `next_block` returns its blocks, the last of which is padded. Nothing if it is invalid. */
std::optional<std::vector<std::uint64_t>> sparse_numbers(
    const std::function<std::string_view()>& next_block);

/** Whether the extents are ascending, lie within the file and sum to `stored` bytes, and the file
 * is not unreasonably larger. */
bool is_sound(const SparseMap& map, std::uint64_t stored);

}  // namespace dino::format
