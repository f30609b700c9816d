// What a source holds that is not used, or not as one would expect: told once, never in silence.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace dino::data {

/** Things of one kind. */
struct SourceNote {
  std::int64_t count = 0;
  std::string what;     ///< behind the count: "label files are no label"
  std::string example;  ///< the name of the first
  std::string why;      ///< of the first; may be empty
  bool operator==(const SourceNote&) const = default;
};

/** Counts one more thing of that kind; the first of a kind is its example. */
void add_note(std::vector<SourceNote>& notes, std::string_view what, std::string_view example,
              std::string_view why = "");

/** "3 label files are no label; the first: 0.json: ...", for people to read. */
std::string describe(const SourceNote& note);

}  // namespace dino::data
