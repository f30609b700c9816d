#include "cli/context.h"

#include <ATen/Parallel.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "dino/base/cores.h"
#include "dino/base/error.h"
#include "dino/base/json.h"

namespace dino::cli {
namespace {

/** The one place that decides how many threads compute; `asked` = --threads, 0 = not given.
 * LibTorch's own number counts physical cores and obeys OMP_NUM_THREADS, but knows no quota. */
void set_computing_threads(int asked) {
  const int most = asked > 0 ? asked : usable_processors();
  if (asked > 0 || most < at::get_num_threads()) at::set_num_threads(most);
}

}  // namespace

CLI::App* add_command(CLI::App& parent, Context& context, const std::string& name,
                      const std::string& help, std::function<int()> run) {
  CLI::App* command = parent.add_subcommand(name, help);
  command->add_flag("--json", context.json, "Print the result as one JSON document");
  command->add_flag("-q,--quiet", context.quiet,
                    "No progress and no information on standard error");
  command
      ->add_option("--threads", context.threads,
                   "CPU threads (default: one per core that may be used)")
      ->check(CLI::Range(1, 4096));
  command->callback([&context, run = std::move(run)] {
    context.console.set_quiet(context.quiet);
    set_computing_threads(context.threads);
    context.action = run;
  });
  return command;
}

CLI::App* add_group(CLI::App& parent, const std::string& name, const std::string& help) {
  CLI::App* group = parent.add_subcommand(name, help);
  group->require_subcommand(1);
  return group;
}

void print_result(const Context& context, const nlohmann::json& document, std::string_view text) {
  const std::string output = context.json ? dump_json(document, 2) : std::string(text);
  std::fwrite(output.data(), 1, output.size(), stdout);
  if (!output.ends_with('\n')) std::fputc('\n', stdout);
  if (std::fflush(stdout) != 0)
    fail(ErrorKind::Io, "[output] cannot write the result to standard output: {}",
         std::strerror(errno));
}

}  // namespace dino::cli
