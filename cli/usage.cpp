#include "cli/usage.h"

#include <fmt/format.h>

#include <optional>
#include <vector>

#include "dino/base/nearest_name.h"

namespace dino::cli {
namespace {

const CLI::App& deepest_parsed(const CLI::App& app) {
  const CLI::App* deepest = &app;
  for (auto parsed = deepest->get_subcommands(); !parsed.empty();
       parsed = deepest->get_subcommands())
    deepest = parsed.front();
  return *deepest;
}

std::string full_name(const CLI::App& app) {
  const CLI::App* parent = app.get_parent();
  return parent == nullptr ? app.get_name() : full_name(*parent) + " " + app.get_name();
}

std::vector<std::string> flag_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options())
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  return names;
}

std::vector<std::string> command_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands({})) names.push_back(command->get_name());
  return names;
}

std::string unknown(std::string_view what, std::string_view given, const CLI::App& app,
                    const std::vector<std::string>& known) {
  const std::optional<std::string> nearest = nearest_name(given, known);
  const std::string hint = nearest ? fmt::format("did you mean '{}'?", *nearest)
                                   : fmt::format("see '{} --help'", full_name(app));
  return fmt::format("unknown {} '{}' of '{}'; {}", what, given, full_name(app), hint);
}

}  // namespace

std::string explain_usage_error(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App& command = deepest_parsed(app);
  const std::vector<std::string> left_over = app.remaining(true);
  if (!left_over.empty()) {
    const std::string& first = left_over.front();
    if (first.starts_with('-'))
      return unknown("flag", first.substr(0, first.find('=')), command, flag_names(command));
    if (const auto commands = command_names(command); !commands.empty())
      return unknown("command", first, command, commands);
    return fmt::format("'{}' takes no argument '{}'; see '{} --help'", full_name(command), first,
                       full_name(command));
  }
  return fmt::format("{}; see '{} --help'", error.what(), full_name(command));
}

}  // namespace dino::cli
