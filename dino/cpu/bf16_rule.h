// Decides whether bf16 is faster than fp32, from the processor's features and never by a
// measurement: the same machine must give the same bytes each time. docs/design.md, "Precision",
// has the measurements behind the rules.
#pragma once

namespace dino::cpu {

/** The features of a processor that the rules depend on. */
struct Processor {
  bool avx512_bf16 = false;  ///< AVX512-BF16: vector dot products of bf16 pairs
  bool amx_bf16 = false;     ///< AMX: tile products of bf16
  bool amd = false;

  /** The processor this program runs on. Thread-safe. */
  static Processor here();
};

/** For our own kernels (frozen networks), which use AVX512-BF16 but not AMX. Bf16 pairs run twice
 * as fast as floats on AMD Zen 4 and later. Intel executes them in only one of the two units that
 * multiply floats, so nothing is gained there. */
bool bf16_pairs_pay(const Processor& processor);

/** For training, where Torch multiplies through oneDNN: bf16 is faster with AMX and on AMD with
 * AVX512-BF16, slower on Intel without AMX. */
bool bf16_pays_in_training(const Processor& processor);

/** For tests of what the rule decides: Processor::here() answers with another processor while this
 * lives. Not while anything computes. */
class ProcessorForTesting {
 public:
  explicit ProcessorForTesting(const Processor& processor);
  ~ProcessorForTesting();
  ProcessorForTesting(const ProcessorForTesting&) = delete;
  ProcessorForTesting& operator=(const ProcessorForTesting&) = delete;

 private:
  const Processor processor_;
};

}  // namespace dino::cpu
