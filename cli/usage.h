// Explains mistakes on the command line: names the nearest flag or command.
#pragma once
#include <CLI/CLI.hpp>
#include <string>

namespace dino::cli {

/** One line that explains the error in the arguments of `app`. */
std::string explain_usage_error(const CLI::App& app, const CLI::ParseError& error);

}  // namespace dino::cli
