// Whether bf16 is worth its rounding, by what the processor has and never by a stopwatch: the same
// machine must give the same bytes each time. docs/design.md, Precision, has the measurements.
#pragma once

namespace dino::cpu {

/** What the rule looks at. */
struct Processor {
  bool avx512_bf16 = false;  ///< multiplies pairs of bf16 in vectors
  bool amx_bf16 = false;     ///< multiplies tiles of bf16
  bool amd = false;

  /** This one. Thread-safe. */
  static Processor here();
};

/** Products of pairs of bf16 in our own kernels (frozen networks): twice as fast as floats on AMD's
 * Zen 4 and later. Intel multiplies pairs in one of the two units that multiply floats, so nothing
 * is gained there, and these kernels have no tiles. */
bool bf16_pairs_pay(const Processor& processor);

/** Products of Torch (training), which go through oneDNN: faster where it has tiles, or AMD's
 * pairs; slower on Intel without tiles. */
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
