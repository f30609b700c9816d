// The commands of the program. Each add_X() adds a command with its flags under `parent`.
#pragma once
#include <CLI/CLI.hpp>
#include <functional>
#include <string>

#include "cli/context.h"

namespace dino::cli {

void add_train(CLI::App& parent, Context& context);
void add_eval(CLI::App& parent, Context& context);
void add_embed(CLI::App& parent, Context& context);
void add_show(CLI::App& parent, Context& context);
void add_inspect(CLI::App& parent, Context& context);
void add_convert(CLI::App& parent, Context& context);
void add_recipe(CLI::App& parent, Context& context);
void add_data(CLI::App& parent, Context& context);
/** Adds `dino data scenes`; `group` is `dino data`. */
void add_data_scenes(CLI::App& group, Context& context);
void add_bench(CLI::App& parent, Context& context);
/** Adds `dino bench data`; `parent` is `dino bench`. */
void add_bench_data(CLI::App& parent, Context& context);

/** Adds `name` under `parent` with the common flags (--json, --quiet, --threads). `run` is called
 * after parsing, with these flags in the context; it returns an ExitCode and reports failure by
 * throwing dino::Error. */
CLI::App* add_command(CLI::App& parent, Context& context, const std::string& name,
                      const std::string& help, std::function<int()> run);

/** A command that only groups others ("dino eval"): naming one of them is required. */
CLI::App* add_group(CLI::App& parent, const std::string& name, const std::string& help);

}  // namespace dino::cli
