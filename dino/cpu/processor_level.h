// Whether this processor has the instructions that the compiler was allowed to use everywhere
// (DINO_ARCH). One that lacks them would stop at the first with SIGILL, without a word.
#pragma once

namespace dino::cpu {

/** The level that this build needs: n of x86-64-v<n>, found from what DINO_ARCH let the compiler
 * use; 0 on other processors, where nothing is checked. A constant, so that reading it runs no
 * code of that level. */
extern const int kBaselineLevel;

/** The highest level of which this processor, and its system, have everything; 0 on other
 * processors. Compiled for level 1, so it may be called before anything is known. */
int processor_level() noexcept;

}  // namespace dino::cpu
