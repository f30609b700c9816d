// The names and labels of a data set's items, packed: names in one string, 8 bytes for where each
// begins, 4 for its label and, of one with several pages, 8 for them. An item is a file or a member
// of an archive; each of its pages is a sample.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "dino/data/sources/source_note.h"

namespace dino::data {

/** The order people expect of classes: 2 before 10 if all are numbers, else by bytes. */
void sort_classes(std::vector<std::string>& names);

/** Thread-safe to read once sealed. */
class ItemTable {
 public:
  /** A name without NUL, the text of its label (empty = none), and how many images it holds. Throws
   * Error{Data} beyond 2^32 images in all. */
  void add(std::string_view name, std::string_view label = "", int pages = 1);
  /** After the last add: numbers the classes as sort_classes() has them. */
  void seal();
  /** Before seal(): no item has a label. */
  void forget_labels();
  /** What is to be told of them besides. */
  std::vector<SourceNote>& notes() { return notes_; }
  const std::vector<SourceNote>& notes() const { return notes_; }

  std::int64_t size() const { return static_cast<std::int64_t>(begins_.size()); }
  std::string_view name(std::int64_t item) const;
  /** -1 without one. */
  std::int64_t label(std::int64_t item) const;

  struct Sample {
    std::int64_t item = 0;
    int page = -1;  ///< from 0; -1: the item has only one
  };
  /** Items count once for each page. */
  std::int64_t samples() const { return size() + static_cast<std::int64_t>(further_pages_); }
  /** Sample `index` in [0, samples()): the pages of an item follow each other. */
  Sample sample(std::int64_t index) const;

  const std::vector<std::string>& class_names() const { return class_names_; }
  /** Other names for the classes, in their order; as many. */
  void rename_classes(std::vector<std::string> names);
  /** Bytes held besides the names themselves and the classes. */
  std::size_t bytes_beyond_names() const;

 private:
  friend class IndexFile;
  void set_pages(std::uint64_t item, std::uint64_t pages);

  std::string names_;  // each ended by NUL
  std::vector<std::uint64_t> begins_;
  std::vector<std::int32_t> labels_;  // empty if no item has one
  // Of the items with several pages: which they are, and their first samples.
  std::vector<std::uint32_t> paged_items_, paged_samples_;
  std::uint64_t further_pages_ = 0;  // beyond one per item
  std::vector<std::string> class_names_;
  std::map<std::string, std::int32_t, std::less<>> found_;  // labels as met, until sealed
  std::vector<SourceNote> notes_;
};

}  // namespace dino::data
