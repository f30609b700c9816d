// Expands brace ranges in file names: "shard-{000000..000123}.tar" gives 124 names.
#pragma once
#include <string>
#include <vector>

namespace dino::data {

/** The names that a pattern with ranges {FIRST..LAST} expands to, in which the last range varies
 * fastest; the pattern itself if it has none. Numbers are zero-padded to FIRST's width. Throws
 * Error{Data} on a range that counts down and on more than a million names. */
std::vector<std::string> expand_braces(const std::string& pattern);

}  // namespace dino::data
