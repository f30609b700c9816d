#include "dino/data/sources/brace_range.h"

#include <charconv>
#include <string_view>

#include "dino/base/error.h"
#include "dino/base/text.h"

namespace dino::data {
namespace {

constexpr std::uint64_t kMostNames = 1'000'000;

struct Range {
  std::size_t begin = 0, end = 0;  // of "{...}" in the pattern
  std::uint64_t first = 0, last = 0;
  std::size_t width = 0;
};

bool parse_number(std::string_view text, std::uint64_t& out) {
  if (text.empty() || text.size() > 18 || text.find_first_not_of("0123456789") != text.npos)
    return false;
  std::from_chars(text.data(), text.data() + text.size(), out);
  return true;
}

/** The last range of the pattern: other braces belong to the name or to a shell. */
bool find_range(std::string_view pattern, Range& range) {
  for (std::size_t open = pattern.rfind('{'); open != pattern.npos;
       open = open == 0 ? pattern.npos : pattern.rfind('{', open - 1)) {
    const std::size_t close = pattern.find('}', open);
    if (close == pattern.npos) continue;
    const std::string_view inside = pattern.substr(open + 1, close - open - 1);
    const std::size_t dots = inside.find("..");
    if (dots == inside.npos || !parse_number(inside.substr(0, dots), range.first) ||
        !parse_number(inside.substr(dots + 2), range.last))
      continue;
    range.begin = open;
    range.end = close + 1;
    range.width = dots;
    return true;
  }
  return false;
}

}  // namespace

std::vector<std::string> expand_braces(const std::string& pattern) {
  std::vector<std::string> names = {pattern};
  Range range;
  while (find_range(names.front(), range)) {
    if (range.last < range.first || range.last - range.first >= kMostNames ||
        (range.last - range.first + 1) * names.size() > kMostNames)
      fail(ErrorKind::Data, "[open data set] '{}': {} counts down or stands for more than {} names",
           printable(std::string_view(pattern)),
           pattern.substr(range.begin, range.end - range.begin), kMostNames);
    // Ranges after this one are expanded already.
    std::vector<std::string> next;
    for (std::uint64_t number = range.first; number <= range.last; ++number)
      for (const std::string& name : names)
        next.push_back(fmt::format("{}{:0{}}{}", name.substr(0, range.begin), number, range.width,
                                   name.substr(range.end)));
    names = std::move(next);
  }
  return names;
}

}  // namespace dino::data
