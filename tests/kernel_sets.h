// Runs a test once on each instruction set of this machine, not only on the fastest.
#pragma once
#include <gtest/gtest.h>

#include "dino/cpu/kernels.h"

namespace dino::test {

/** Calls `check()` for each of cpu::supported_kernels(), which cpu::kernels() answers with
 * meanwhile. What is packed or measured under one set must not outlive the call. */
template <typename Check>
void on_every_kernel_set(const Check& check) {
  for (const cpu::Kernels* set : cpu::supported_kernels()) {
    SCOPED_TRACE(set->name);
    const cpu::KernelsForTesting use(*set);
    check();
  }
}

}  // namespace dino::test
