// `dino <command>`: parses the command line, runs one command, turns errors into one line and an
// exit code.
#include <cstdio>
#include <exception>
#include <new>
#include <system_error>

#include "cli/commands.h"
#include "cli/out_of_memory.h"
#include "cli/shell_quote.h"
#include "cli/usage.h"
#include "dino/base/cores.h"
#include "dino/base/error.h"
#include "dino/cpu/bf16_rule.h"
#include "dino/cpu/kernels.h"

#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace {

using dino::cli::ExitCode;

std::string first_line(std::string_view text) {
  return std::string(text.substr(0, text.find('\n')));
}

int report_error(const dino::cli::Context& context, std::string_view message, ExitCode code) {
  std::fprintf(stderr, "%sdino: error: %s\n", context.console.is_terminal() ? "\r\x1b[2K" : "",
               first_line(message).c_str());
  return code;
}

std::string join_arguments(int argc, char** argv) {
  std::string line = "dino";
  for (int i = 1; i < argc; ++i) line += fmt::format(" {}", dino::cli::shell_quote(argv[i]));
  return line;
}

/** "dino 0.1.0 (LibTorch 2.11.0, avx512)": the kernels are those of dino/cpu. */
std::string version_text() {
  return fmt::format(
      "dino {} (LibTorch {}, {}{})\n", DINO_VERSION, DINO_LIBTORCH_VERSION,
      dino::cpu::kernels().name,
      dino::cpu::bf16_pays_in_training(dino::cpu::Processor::here()) ? " with bf16" : "");
}

int run(CLI::App& app, dino::cli::Context& context, int argc, char** argv) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& request) {  // --help, --version
    return app.exit(request);
  } catch (const CLI::ParseError& error) {
    return report_error(context, dino::cli::explain_usage_error(app, error), ExitCode::kUsage);
  }
  if (!context.action) {
    std::fputs(app.help().c_str(), stderr);
    return ExitCode::kUsage;
  }
  return context.action();
}

}  // namespace

/** Keeps freed memory in the process, since each training step allocates the same again: by default
 * glibc returns large blocks to the system, and the page faults cost a tenth of a step. This is a
 * choice for the whole process, so the program makes it, not the library. */
static void keep_memory() {
#if defined(__GLIBC__)
  constexpr int kGiB = 1 << 30, kHeap = 64 << 20;
  mallopt(M_MMAP_THRESHOLD, kGiB);
  mallopt(M_TRIM_THRESHOLD, 2 * (kGiB - 1));
  mallopt(M_TOP_PAD, kHeap);  // the size of a heap: arenas of other threads keep theirs too
  // One for each thread that computes, and one for those that load. Threads that share an arena put
  // each other to sleep: with a single one, two threads compute no faster than one.
  mallopt(M_ARENA_MAX, dino::usable_processors() + 1);
#endif
}

int main(int argc, char** argv) {
  keep_memory();
  dino::cli::Context context;
  context.command_line = join_arguments(argc, argv);
  CLI::App app("Self-supervised training of vision transformers (DINO), and use of their features.",
               "dino");
  app.set_version_flag("--version", version_text);
  app.set_help_flag("-h,--help", "Print this help");
  app.require_subcommand(0, 1);
  dino::cli::add_train(app, context);
  dino::cli::add_recipe(app, context);
  dino::cli::add_eval(app, context);
  dino::cli::add_embed(app, context);
  dino::cli::add_show(app, context);
  dino::cli::add_convert(app, context);
  dino::cli::add_inspect(app, context);
  dino::cli::add_data(app, context);
  dino::cli::add_bench(app, context);

  try {
    return run(app, context, argc, argv);
  } catch (const dino::Error& error) {
    return report_error(
        context, error.what(),
        error.kind() == dino::ErrorKind::Usage ? ExitCode::kUsage : ExitCode::kFailure);
  } catch (const std::bad_alloc&) {
    return report_error(context, dino::cli::out_of_memory_text(""), ExitCode::kFailure);
  } catch (const std::system_error& error) {
    if (error.code() == std::errc::resource_unavailable_try_again)  // of std::thread
      return report_error(context,
                          "[threads] the system gives no more threads; try fewer --threads or "
                          "data.workers, or a larger limit (ulimit -u)",
                          ExitCode::kFailure);
    return report_error(context, std::string("[internal] ") + error.what(), ExitCode::kFailure);
  } catch (const std::exception& error) {
    return report_error(context, std::string("[internal] ") + error.what(), ExitCode::kFailure);
  }
}
