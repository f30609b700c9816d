// Sparse members of tar archives: which parts of a file are stored, the rest being zeros. GNU's old
// header and its three pax forms (0.0, 0.1, 1.0); private to dino/format.
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
  std::uint64_t offset = 0, bytes = 0;  ///< in the whole file
};

struct SparseMap {
  std::uint64_t size = 0;             ///< bytes of the whole file
  std::vector<SparseExtent> extents;  ///< stored one behind the other
};

/** What pax records say of a sparse member; complete once all records have been given. */
class PaxSparse {
 public:
  /** A record "GNU.sparse.X" by its X. */
  void add(std::string_view key, std::string_view value);

  bool present() const { return present_; }
  const std::optional<std::string>& name() const { return name_; }
  /** Whether the map stands in front of the data (1.0). */
  bool map_in_data() const { return major_ == 1; }
  /** The map of the records or, if map_in_data(), of `lines` numbers: how many extents, then offset
   * and bytes of each. Nothing if it is none. */
  std::optional<SparseMap> map() const;
  std::optional<SparseMap> map(const std::vector<std::uint64_t>& numbers) const;

 private:
  bool present_ = false, damaged_ = false;
  std::uint64_t major_ = 0, size_ = 0;
  std::optional<std::string> name_;
  std::vector<std::uint64_t> numbers_;  // offset, bytes, offset, ...
};

/** The map of an old GNU header; `next_block` gives the blocks behind it that go on with it.
 * Nothing if it is none. */
std::optional<SparseMap> old_sparse_map(std::string_view header,
                                        const std::function<std::string_view()>& next_block);

/** Digits up to a newline, again and again: the numbers of a map in front of the data. `next_block`
 * gives its blocks, of which the last is padded. Nothing if it is none. */
std::optional<std::vector<std::uint64_t>> sparse_numbers(
    const std::function<std::string_view()>& next_block);

/** Whether the extents ascend, lie within the file and take `stored` bytes, and the file is not
 * absurdly larger than these. */
bool is_sound(const SparseMap& map, std::uint64_t stored);

}  // namespace dino::format
