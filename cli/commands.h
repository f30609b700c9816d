// The commands of the program. Each function adds a command with its flags under `parent`.
#pragma once
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
void add_bench(CLI::App& parent, Context& context);
/** Adds `dino bench data`; `parent` is `dino bench`. */
void add_bench_data(CLI::App& parent, Context& context);

}  // namespace dino::cli
