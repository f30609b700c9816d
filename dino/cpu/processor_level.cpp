// Compiled for the oldest processors (CMakeLists.txt), so it uses nothing of the standard library
// whose code other files share. Levels as in the x86-64 psABI, section "Micro-Architecture Levels".
#include "dino/cpu/processor_level.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace dino::cpu {

#if defined(__x86_64__)
namespace {

bool has(unsigned reg, unsigned bits) {
  return (reg & bits) == bits;
}

/** What the system keeps between threads: bits of XCR0. */
unsigned saved_state() {
  unsigned low = 0, high = 0;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}

}  // namespace

int processor_level() noexcept {
  constexpr unsigned kLahf = 1U << 0;
  constexpr unsigned kSse3 = 1U << 0, kSsse3 = 1U << 9, kCx16 = 1U << 13, kSse41 = 1U << 19,
                     kSse42 = 1U << 20, kPopcnt = 1U << 23;
  constexpr unsigned kFma = 1U << 12, kMovbe = 1U << 22, kOsxsave = 1U << 27, kAvx = 1U << 28,
                     kF16c = 1U << 29, kLzcnt = 1U << 5;
  constexpr unsigned kBmi1 = 1U << 3, kAvx2 = 1U << 5, kBmi2 = 1U << 8;
  constexpr unsigned kAvx512 =
      1U << 16 | 1U << 17 | 1U << 28 | 1U << 30 | 1U << 31;  // F DQ CD BW VL
  constexpr unsigned kAvxState = 1U << 1 | 1U << 2, kAvx512State = kAvxState | 7U << 5;

  unsigned a = 0, b = 0, basic = 0, extended = 0, features = 0, ignored = 0;
  if (__get_cpuid(1, &a, &b, &basic, &ignored) == 0) return 1;
  if (__get_cpuid(0x80000001, &a, &b, &extended, &ignored) == 0) return 1;
  if (!has(basic, kSse3 | kSsse3 | kCx16 | kSse41 | kSse42 | kPopcnt) || !has(extended, kLahf))
    return 1;
  if (__get_cpuid_count(7, 0, &a, &features, &b, &ignored) == 0) return 2;
  if (!has(basic, kFma | kMovbe | kOsxsave | kAvx | kF16c) || !has(extended, kLzcnt) ||
      !has(features, kBmi1 | kAvx2 | kBmi2) || !has(saved_state(), kAvxState))
    return 2;
  return has(features, kAvx512) && has(saved_state(), kAvx512State) ? 4 : 3;
}
#else
int processor_level() noexcept {
  return 0;
}
#endif

}  // namespace dino::cpu
