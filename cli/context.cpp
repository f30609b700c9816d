#include "cli/context.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <thread>

#include "dino/base/error.h"
#include "dino/base/json.h"

namespace dino::cli {

CLI::App* add_command(CLI::App& parent, Context& context, const std::string& name,
                      const std::string& help, std::function<int()> run) {
  CLI::App* command = parent.add_subcommand(name, help);
  command->add_flag("--json", context.json, "Print the result as one JSON document");
  command->add_flag("-q,--quiet", context.quiet,
                    "No progress and no information on standard error");
  command->add_option("--threads", context.threads, "CPU threads (default: one per core)")
      ->check(CLI::Range(1, 4096));
  command->callback([&context, run = std::move(run)] {
    context.console.set_quiet(context.quiet);
    if (context.threads > 0) at::set_num_threads(context.threads);
    context.action = run;
  });
  return command;
}

CLI::App* add_group(CLI::App& parent, const std::string& name, const std::string& help) {
  CLI::App* group = parent.add_subcommand(name, help);
  group->require_subcommand(1);
  return group;
}

std::size_t pool_workers(int threads) {
  const std::size_t cores = std::max(1U, std::thread::hardware_concurrency());
  return (threads > 0 ? static_cast<std::size_t>(threads) : cores) - 1;
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
