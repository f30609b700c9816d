#include "cli/commands.h"

namespace dino::cli {

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
    context.action = run;
  });
  return command;
}

CLI::App* add_group(CLI::App& parent, const std::string& name, const std::string& help) {
  CLI::App* group = parent.add_subcommand(name, help);
  group->require_subcommand(1);
  return group;
}

}  // namespace dino::cli
