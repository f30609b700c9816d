// The commands of the program: each adds itself, with its flags, under `parent`.
#pragma once
#include "cli/context.h"

namespace dino::cli {

void add_train(CLI::App& parent, Context& context);
void add_eval(CLI::App& parent, Context& context);
void add_embed(CLI::App& parent, Context& context);
void add_show(CLI::App& parent, Context& context);
void add_inspect(CLI::App& parent, Context& context);
void add_convert(CLI::App& parent, Context& context);
void add_data(CLI::App& parent, Context& context);
void add_bench(CLI::App& parent, Context& context);
/** `dino bench data`, under `dino bench`. */
void add_bench_data(CLI::App& parent, Context& context);

}  // namespace dino::cli
