// The recipes that come with the program: the files of recipes/, compiled into it, so that they are
// found from any directory.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace dino::recipe {

struct BuiltIn {
  std::string_view name;  ///< its path below recipes/, without ".toml": "crops/dinov2"
  std::string_view toml;
};

/** All of them, sorted by name. */
std::vector<BuiltIn> built_ins();
/** The recipe of that name, as a person may type it: ".toml" may follow, and "dino_" may be left
 * out ("vits16"). The text is empty if there is none. */
BuiltIn find_built_in(std::string_view name);
/** Throws Error{Io} that lists the names and the nearest to `name`. */
[[noreturn]] void unknown_recipe(std::string_view name);

}  // namespace dino::recipe
