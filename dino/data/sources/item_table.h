// A compact table of the names and labels of a data set's items: names in one string, plus 12 bytes
// per item and 8 per item with several pages. An item is a file or a member of an archive; each of
// its pages is a sample.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "dino/data/sources/source_note.h"

namespace dino::data {

/** Sorts class names: numerically if all are numbers (2 before 10), else by bytes. */
void sort_classes(std::vector<std::string>& names);

/** Filled by add(), then seal(). Thread-safe to read after seal(). */
class ItemTable {
 public:
  /** Adds an item: a name without NUL, its label (empty = none) and its number of pages. Throws
   * Error{Data} beyond 2^32 images in total. */
  void add(std::string_view name, std::string_view label = "", int pages = 1);
  /** Numbers the classes in the order of sort_classes(); call it after the last add(). */
  void seal();
  /** Removes all labels; call it before seal(). */
  void forget_labels();
  /** Notes on the source, for Dataset::notes(). */
  std::vector<SourceNote>& notes() { return notes_; }
  const std::vector<SourceNote>& notes() const { return notes_; }

  std::int64_t size() const { return static_cast<std::int64_t>(begins_.size()); }
  std::string_view name(std::int64_t item) const;
  /** The class, or -1 without a label. */
  std::int64_t label(std::int64_t item) const;

  struct Sample {
    std::int64_t item = 0;
    int page = -1;  ///< from 0; -1 if the item has only one page
  };
  /** The number of pages of all items. */
  std::int64_t samples() const { return size() + static_cast<std::int64_t>(further_pages_); }
  /** Sample `index` in [0, samples()); the pages of an item are consecutive. */
  Sample sample(std::int64_t index) const;

  const std::vector<std::string>& class_names() const { return class_names_; }
  /** Replaces the names of the classes by as many others, in the same order. */
  void rename_classes(std::vector<std::string> names);
  /** Memory besides the names and the classes, bytes. */
  std::size_t bytes_beyond_names() const;

 private:
  friend class IndexFile;
  void set_pages(std::uint64_t item, std::uint64_t pages);

  std::string names_;  // each terminated by NUL
  std::vector<std::uint64_t> begins_;
  std::vector<std::int32_t> labels_;  // empty if no item has one
  // The items with several pages and the index of their first samples.
  std::vector<std::uint32_t> paged_items_, paged_samples_;
  std::uint64_t further_pages_ = 0;  // beyond one per item
  std::vector<std::string> class_names_;
  // labels in order of occurrence, until seal()
  std::map<std::string, std::int32_t, std::less<>> found_;
  std::vector<SourceNote> notes_;
};

}  // namespace dino::data
