// Notes on contents of a source that are not used, or not as one would expect.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace dino::data {

/** Occurrences of one kind. */
struct SourceNote {
  std::int64_t count = 0;
  std::string what;     ///< text after the count: "label files are no label"
  std::string example;  ///< name of the first occurrence
  std::string why;      ///< reason for the first occurrence; may be empty
  bool operator==(const SourceNote&) const = default;
};

/** Counts an occurrence of kind `what`; the first one becomes the example. */
void add_note(std::vector<SourceNote>& notes, std::string_view what, std::string_view example,
              std::string_view why = "");

/** The note as text: "3 label files are no label; the first: 0.json: ...". */
std::string describe(const SourceNote& note);

}  // namespace dino::data
