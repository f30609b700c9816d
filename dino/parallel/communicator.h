// The ranks of one training run: several processes that take the same steps on different images.
// Everything that is a sum or a mean over the whole batch goes through here, so that nothing above
// asks how many ranks there are.
#pragma once
#include <torch/types.h>

#include <span>

namespace dino::parallel {

/** A group of ranks. Every rank makes the same calls in the same order, with tensors of equal
 * shapes; a rank that leaves one out stops all others. Not thread-safe. */
class Communicator {
 public:
  virtual ~Communicator() = default;
  /** Of this process, in [0, world()). */
  virtual int rank() const = 0;
  virtual int world() const = 0;
  /** Replaces each tensor by its sum over all ranks, on the device where it lies. */
  virtual void sum(std::span<torch::Tensor> tensors) = 0;
  /** Whether `mine` is true on every rank. */
  virtual bool all(bool mine) = 0;
  /** Returns once every rank has called it. */
  virtual void barrier() = 0;

  /** Replaces each tensor by its mean over all ranks; with one rank it leaves every bit. */
  void mean(std::span<torch::Tensor> tensors);
};

/** The group of a run that is one process. */
class Alone final : public Communicator {
 public:
  int rank() const override { return 0; }
  int world() const override { return 1; }
  void sum(std::span<torch::Tensor>) override {}
  bool all(bool mine) override { return mine; }
  void barrier() override {}
};

}  // namespace dino::parallel
