// Compiled as all of the library is, which is what the macros tell.
#include "dino/cpu/processor_level.h"

namespace dino::cpu {

#if !defined(__x86_64__)
constinit const int kBaselineLevel = 0;
#elif defined(__AVX512VL__)
constinit const int kBaselineLevel = 4;
#elif defined(__AVX2__)
constinit const int kBaselineLevel = 3;
#elif defined(__SSE4_2__)
constinit const int kBaselineLevel = 2;
#else
constinit const int kBaselineLevel = 1;
#endif

}  // namespace dino::cpu
