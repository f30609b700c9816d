// Philox4x32-10 from "Parallel random numbers: as easy as 1, 2, 3" (Salmon et al. 2011), and
// distributions.
#include "dino/base/rng.h"

#include <cmath>
#include <numbers>
#include <numeric>

#include "dino/base/error.h"

namespace dino {
namespace {

std::uint32_t low_half(std::uint64_t x) {
  return static_cast<std::uint32_t>(x);
}
std::uint32_t high_half(std::uint64_t x) {
  return static_cast<std::uint32_t>(x >> 32);
}

}  // namespace

std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                        std::array<std::uint32_t, 2> key) {
  constexpr std::uint64_t kMultiplier0 = 0xD2511F53, kMultiplier1 = 0xCD9E8D57;
  constexpr std::uint32_t kWeyl0 = 0x9E3779B9, kWeyl1 = 0xBB67AE85;
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t product0 = kMultiplier0 * counter[0];
    const std::uint64_t product1 = kMultiplier1 * counter[2];
    counter = {high_half(product1) ^ counter[1] ^ key[0], low_half(product1),
               high_half(product0) ^ counter[3] ^ key[1], low_half(product0)};
    key[0] += kWeyl0;
    key[1] += kWeyl1;
  }
  return counter;
}

// The 256 bits of the name are absorbed by two blocks. For one key a block is a bijection of its
// counter, so streams that differ only in `sample` never share key and counter: they cannot
// overlap, and all others do so with chance 2^-128.
Rng::Rng(std::uint64_t seed, std::uint64_t epoch, std::uint64_t sample, std::uint64_t view) {
  const auto outer =
      philox4x32({low_half(epoch), high_half(epoch), low_half(view), high_half(view)},
                 {low_half(seed), high_half(seed)});
  const auto inner =
      philox4x32({low_half(sample), high_half(sample), outer[2], outer[3]}, {outer[0], outer[1]});
  key_ = {inner[0], inner[1]};
  counter_ = {0, 0, inner[2], inner[3]};
  block_ = {};
}

std::uint32_t Rng::next_u32() {
  if (used_ == 4) {
    block_ = philox4x32(counter_, key_);
    if (++counter_[0] == 0) ++counter_[1];
    used_ = 0;
  }
  return block_[static_cast<std::size_t>(used_++)];
}

std::uint64_t Rng::next_u64() {
  const std::uint64_t low = next_u32();
  return low | (std::uint64_t{next_u32()} << 32);
}

double Rng::uniform() {
  return static_cast<double>(next_u64() >> 11) * 0x1p-53;
}

double Rng::uniform(double low, double high) {
  const double value = low + (high - low) * uniform();
  return value < high ? value : std::nextafter(high, low);  // rounding may reach high
}

// Lemire's method: the high word of a product is uniform once the few low words that would favor
// it are refused.
std::uint64_t Rng::below(std::uint64_t n) {
  DINO_ASSERT(n >= 1);
  __extension__ using uint128 = unsigned __int128;
  uint128 product = uint128{next_u64()} * n;
  if (static_cast<std::uint64_t>(product) < n) {
    const std::uint64_t refused = (0 - n) % n;  // 2^64 mod n
    while (static_cast<std::uint64_t>(product) < refused) product = uint128{next_u64()} * n;
  }
  return static_cast<std::uint64_t>(product >> 64);
}

bool Rng::bernoulli(double p) {
  return uniform() < p;
}

double Rng::normal() {
  const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));  // 1 - u is never 0
  return radius * std::cos(2.0 * std::numbers::pi * uniform());
}

std::vector<std::int64_t> random_permutation(std::int64_t n, Rng& rng) {
  DINO_ASSERT(n >= 0);
  std::vector<std::int64_t> order(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  rng.shuffle(std::span(order));
  return order;
}

}  // namespace dino
