// The state shared by all commands: output, messages and common flags.
#pragma once
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "cli/console.h"
#include "dino/base/log.h"

namespace dino::cli {

enum ExitCode { kOk = 0, kFailure = 1, kUsage = 2, kInterrupted = 130 };

struct Context {
  Console console;
  bool json = false;            ///< --json: one JSON document on standard output instead of text
  bool quiet = false;           ///< --quiet: no progress, no information; warnings stay
  int threads = 0;              ///< --threads as typed; 0 = not typed. See base/cores.h
  std::string command_line;     ///< as typed, for the records of a run
  std::function<int()> action;  ///< set by the parsed command; returns an ExitCode

  /** A sink for library code; valid while the context lives. */
  LogSink log() {
    return [this](LogLevel level, std::string_view text) { console.message(level, text); };
  }
};

/** Writes a result to standard output: `document` with --json, else `text`. Throws Error{Io} if it
 * cannot be written. */
void print_result(const Context& context, const nlohmann::json& document, std::string_view text);

/** Throws Error{Usage} if `path` is empty, or exists, unless `force`. */
void check_output_free(const std::string& path, bool force);

}  // namespace dino::cli
