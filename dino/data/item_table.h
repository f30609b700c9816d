// The names and labels of a data set's images, packed: names in one string, 8 bytes for where each
// begins and 4 for its label.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace dino::data {

/** Thread-safe to read once sealed. */
class ItemTable {
 public:
  /** A name without NUL, and the text of its label; empty = none. */
  void add(std::string_view name, std::string_view label = "");
  /** After the last add: numbers the classes in the order people expect (2 before 10 if all are
   * numbers, else by bytes). Unless each item has a label, none has. */
  void seal();

  std::int64_t size() const { return static_cast<std::int64_t>(begins_.size()); }
  std::string_view name(std::int64_t index) const;
  /** -1 without labels. */
  std::int64_t label(std::int64_t index) const;
  const std::vector<std::string>& class_names() const { return class_names_; }
  /** Other names for the classes, in their order; as many. */
  void rename_classes(std::vector<std::string> names);
  /** Bytes held besides the names themselves and the classes. */
  std::size_t bytes_beyond_names() const;

 private:
  friend class IndexFile;
  std::string names_;  // each ended by NUL
  std::vector<std::uint64_t> begins_;
  std::vector<std::int32_t> labels_;
  std::vector<std::string> class_names_;
  std::map<std::string, std::int32_t, std::less<>> found_;  // labels as met, until sealed
  bool unlabelled_ = false;
};

}  // namespace dino::data
