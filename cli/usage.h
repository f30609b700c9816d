// Explains mistakes on the command line: names the nearest flag or command.
#pragma once
#include <CLI/CLI.hpp>
#include <string>
#include <string_view>

namespace dino::cli {

/** One line that says what was wrong with the arguments `app` just refused. */
std::string explain_usage_error(const CLI::App& app, const CLI::ParseError& error);

/** `argument` so that a POSIX shell reads it back unchanged. */
std::string shell_quote(std::string_view argument);

}  // namespace dino::cli
