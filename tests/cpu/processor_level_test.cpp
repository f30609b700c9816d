#include "dino/cpu/processor_level.h"

#include <gtest/gtest.h>

namespace dino::cpu {
namespace {

TEST(ProcessorLevel, SufficesForThisBuild) {
  EXPECT_GE(processor_level(), kBaselineLevel);
}

#if defined(__x86_64__)
TEST(ProcessorLevel, IsWhatTheCompilerSaysOfTheProcessor) {
  const bool v4 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                  __builtin_cpu_supports("avx512vl");
  const bool v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                  __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
  EXPECT_EQ(processor_level() >= 4, v4);
  EXPECT_EQ(processor_level() >= 3, v3);
}
#endif

}  // namespace
}  // namespace dino::cpu
