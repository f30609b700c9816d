// The module's one exported function. Its actions throw dino::Error, std::bad_alloc and others of
// the standard library: the program knows no errors of Torch.
#include <ATen/Parallel.h>
#include <c10/util/Exception.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "cli/out_of_memory.h"
#include "cli/torch/actions.h"
#include "dino/base/cores.h"
#include "dino/base/error.h"
#include "dino/train/considerate_waits.h"

namespace dino::cli {
namespace {

/** The one place that decides how many threads compute; `asked` = --threads, 0 = not given.
 * LibTorch's own number counts physical cores and obeys OMP_NUM_THREADS, but knows no quota. */
void set_computing_threads(int asked) {
  const int most = asked > 0 ? asked : usable_processors();
  if (asked > 0 || most < at::get_num_threads()) at::set_num_threads(most);
}

/** Recognizes Torch's error for a failed allocation by its text; on the CPU it has no type of its
 * own. */
bool is_out_of_memory(std::string_view text) {
  return text.find("allocate memory") != std::string_view::npos ||
         text.find("out of memory") != std::string_view::npos;
}

[[noreturn]] void fail_as_ours(const c10::Error& error) {
  const std::string_view text = error.what_without_backtrace();
  if (is_out_of_memory(text))
    fail(ErrorKind::Internal, "{}", out_of_memory_text(text.substr(0, text.find('\n'))));
  fail(ErrorKind::Internal, "[internal] {}", text);
}

template <auto kAction>
struct Guarded;

template <typename Result, typename Request, Result (*kAction)(const Request&, Context&)>
struct Guarded<kAction> {
  static Result run(const Request& request, Context& context) {
    set_computing_threads(context.threads);
    const train::ConsiderateWaits waits(at::get_num_threads());
    try {
      return kAction(request, context);
    } catch (const c10::Error& error) {
      fail_as_ours(error);
    }
  }
};

constexpr TorchActions kActions = {
    .train = Guarded<run_train>::run,
    .embed = Guarded<run_embed>::run,
    .knn = Guarded<run_knn>::run,
    .patches = Guarded<run_patches>::run,
    .convert = Guarded<run_convert>::run,
    .attention = Guarded<show_attention>::run,
    .pca = Guarded<show_pca>::run,
    .neighbors = Guarded<show_neighbors>::run,
    .bench_train = Guarded<run_bench_train>::run,
    .bench_infer = Guarded<run_bench_infer>::run,
};

/** Ends the process before the destructors of LibTorch's registries, which were built before and
 * would run after: they take 0.1 s to free what the system frees at once. */
void end_at_once(int status, void*) {
  std::fflush(nullptr);
  _exit(status);
}

}  // namespace

extern "C" const TorchActions* dino_torch_actions(const char* program_version) {
  if (program_version != std::string_view(DINO_VERSION)) return nullptr;
  on_exit(end_at_once, nullptr);
  return &kActions;
}

}  // namespace dino::cli
