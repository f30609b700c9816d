#include "dino/data/sources/source_note.h"

#include <fmt/format.h>

#include <algorithm>

#include "dino/base/text.h"

namespace dino::data {

void add_note(std::vector<SourceNote>& notes, std::string_view what, std::string_view example,
              std::string_view why) {
  const auto known = std::ranges::find(notes, what, &SourceNote::what);
  if (known == notes.end())
    notes.push_back({1, std::string(what), std::string(example), std::string(why)});
  else
    ++known->count;
}

std::string describe(const SourceNote& note) {
  return fmt::format("{} {}; {}{}{}{}", note.count, note.what, note.count > 1 ? "the first: " : "",
                     printable(std::string_view(note.example)), note.why.empty() ? "" : ": ",
                     note.why);
}

}  // namespace dino::data
