#pragma once
#include <string>
#include <string_view>

namespace dino::cli {

/** Quotes `argument` for a POSIX shell. */
std::string shell_quote(std::string_view argument);

}  // namespace dino::cli
