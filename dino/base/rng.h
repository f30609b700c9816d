// Counter-based random numbers (Philox4x32-10, Salmon et al. 2011) with our own distributions, so
// that a stream depends only on its key: never on the thread that draws, the platform or the
// standard library.
#pragma once
#include <array>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace dino {

/** One block of Philox4x32-10: 128 random bits that depend on nothing but the arguments. */
std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                        std::array<std::uint32_t, 2> key);

/** A stream of random numbers. Thread-compatible: use one object per thread; construction is cheap.
 */
class Rng {
 public:
  /** The stream named by these four numbers. Equal names give equal draws. */
  explicit Rng(std::uint64_t seed, std::uint64_t epoch = 0, std::uint64_t sample = 0,
               std::uint64_t view = 0);

  std::uint32_t next_u32();
  std::uint64_t next_u64();
  /** Uniform in [0, 1), with 53 random bits. */
  double uniform();
  /** Uniform in [low, high). */
  double uniform(double low, double high);
  /** Uniform in {0, ..., n-1} without modulo bias; n >= 1. */
  std::uint64_t below(std::uint64_t n);
  /** True with probability p. Always consumes one draw. */
  bool bernoulli(double p);
  /** Standard normal (Box-Muller, one value per call). It uses the C library's log and cos, so its
   * last bit may differ between platforms. */
  double normal();
  /** Uniformly random permutation of values, in place (Fisher-Yates). */
  template <typename T>
  void shuffle(std::span<T> values) {
    for (std::size_t i = values.size(); i > 1; --i) std::swap(values[i - 1], values[below(i)]);
  }

 private:
  std::array<std::uint32_t, 2> key_;
  std::array<std::uint32_t, 4> counter_;
  std::array<std::uint32_t, 4> block_;
  int used_ = 4;  // words of block_ already given out
};

/** A uniformly random permutation of {0, ..., n-1}. */
std::vector<std::int64_t> random_permutation(std::int64_t n, Rng& rng);

}  // namespace dino
