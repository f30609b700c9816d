// "shard-{000000..000123}.tar" -> 124 names.
#pragma once
#include <string>
#include <vector>

namespace dino::data {

/** The names that a pattern with ranges {FIRST..LAST} stands for, the last range counting fastest;
 * the pattern itself if it has none. FIRST's digits say how wide the numbers are. Throws
 * Error{Data} on a range that counts down and on more than a million names. */
std::vector<std::string> expand_braces(const std::string& pattern);

}  // namespace dino::data
