#include "dino/cpu/bf16_rule.h"

#include <atomic>

#if defined(__x86_64__)
#include <cpuid.h>

#include <cstdint>
#endif

namespace dino::cpu {
namespace {
std::atomic<const Processor*> pretended = nullptr;  // by a test
}

#if defined(__x86_64__)
namespace {

/** Asks the processor itself: clang 14 has no name for this feature. */
bool has_amx_bf16() {
  constexpr std::uint32_t kBf16 = 1U << 22, kTile = 1U << 24, kSystemSaves = 1U << 27;
  constexpr std::uint32_t kTileState = 3U << 17;  // which the system must keep between threads
  std::uint32_t a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c & kSystemSaves) == 0) return false;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) return false;
  if ((d & kBf16) == 0 || (d & kTile) == 0) return false;
  std::uint32_t low = 0, high = 0;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (low & kTileState) == kTileState;
}

}  // namespace
#endif

Processor Processor::here() {
  if (const Processor* other = pretended) return *other;
#if defined(__x86_64__)
  return {.avx512_bf16 = __builtin_cpu_supports("avx512bf16") != 0,
          .amx_bf16 = has_amx_bf16(),
          .amd = __builtin_cpu_is("amd") != 0};
#else
  return {};
#endif
}

ProcessorForTesting::ProcessorForTesting(const Processor& processor) : processor_(processor) {
  pretended = &processor_;
}
ProcessorForTesting::~ProcessorForTesting() {
  pretended = nullptr;
}

bool bf16_pairs_pay(const Processor& processor) {
  return processor.avx512_bf16 && processor.amd;
}

bool bf16_pays_in_training(const Processor& processor) {
  return processor.amx_bf16 || bf16_pairs_pay(processor);
}

}  // namespace dino::cpu
