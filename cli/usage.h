// Explains mistakes on the command line: names the nearest flag or command.
#pragma once
#include <CLI/CLI.hpp>
#include <string>
#include <string_view>

namespace dino::cli {

/** One line that explains the error in the arguments of `app`. */
std::string explain_usage_error(const CLI::App& app, const CLI::ParseError& error);

/** Quotes `argument` for a POSIX shell. */
std::string shell_quote(std::string_view argument);

}  // namespace dino::cli
