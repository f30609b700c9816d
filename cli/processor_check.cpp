// Runs before everything else of the program that may use the instructions of its baseline, the
// initializers of global objects included. Compiled for the oldest processors (CMakeLists.txt), so
// it uses nothing of C++'s library.
#include <stdio.h>
#include <unistd.h>

#include "dino/cpu/processor_level.h"

namespace {

constexpr int kFailure = 1;      // as ExitCode, whose header needs C++'s library
constexpr int kBeforeAll = 101;  // the first priority that is not the compiler's own

__attribute__((constructor(kBeforeAll))) void check_processor() {
  const int needed = dino::cpu::kBaselineLevel, here = dino::cpu::processor_level();
  if (here >= needed) return;
  dprintf(STDERR_FILENO,
          "dino: error: [processor] this program needs a processor of level x86-64-v%d%s, and this "
          "one is of level x86-64-v%d; build it with -DDINO_ARCH=%s\n",
          needed, needed == 3 ? " (AVX2 and FMA: Intel Haswell, AMD Zen or later)" : "", here,
          here == 1 ? "x86-64" : (here == 2 ? "x86-64-v2" : "x86-64-v3"));
  _exit(kFailure);
}

}  // namespace
