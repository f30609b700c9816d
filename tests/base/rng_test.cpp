#include "dino/base/rng.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

namespace dino {
namespace {

using Block = std::array<std::uint32_t, 4>;

// Known answers of the Random123 distribution (kat_vectors, philox4x32 10).
TEST(Philox, KnownAnswers) {
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}),
            (Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox4x32({~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}),
            (Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Rng, SameNameSameDraws) {
  Rng a(7, 1, 2, 3), b(7, 1, 2, 3);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(a.next_u64(), b.next_u64());
}

// From a separate implementation in Python. A change here breaks every stored run: resuming would
// no longer continue the same crops.
TEST(Rng, StreamIsPinned) {
  Rng rng(1, 2, 3, 4);
  for (const std::uint32_t word :
       {0x64e94b00u, 0x7670bb20u, 0x804ae2f1u, 0x1d64c8d2u, 0xbbcca17au, 0x56d8516fu})
    EXPECT_EQ(rng.next_u32(), word);
}

TEST(Rng, NeighboringNamesGiveDifferentStreams) {
  std::set<std::uint64_t> first_draws;
  std::size_t streams = 0;
  for (std::uint64_t seed = 0; seed < 4; ++seed)
    for (std::uint64_t epoch = 0; epoch < 4; ++epoch)
      for (std::uint64_t sample = 0; sample < 64; ++sample)
        for (std::uint64_t view = 0; view < 10; ++view, ++streams)
          first_draws.insert(Rng(seed, epoch, sample, view).next_u64());
  EXPECT_EQ(first_draws.size(), streams);
  // High halves of every part count too.
  const std::uint64_t high = std::uint64_t{1} << 32;
  EXPECT_NE(Rng(high).next_u64(), Rng(0).next_u64());
  EXPECT_NE(Rng(0, high).next_u64(), Rng(0).next_u64());
  EXPECT_NE(Rng(0, 0, high).next_u64(), Rng(0).next_u64());
  EXPECT_NE(Rng(0, 0, 0, high).next_u64(), Rng(0).next_u64());
}

TEST(Rng, StreamsOfNeighborsAreUncorrelated) {
  const int n = 20000;
  double sum = 0;
  for (std::uint64_t i = 0; i < n; ++i)
    sum += (Rng(0, 0, i).uniform() - 0.5) * (Rng(0, 0, i + 1).uniform() - 0.5);
  EXPECT_LT(std::abs(sum / n * 12), 5 / std::sqrt(n));  // correlation, 5 sigma
}

TEST(Rng, UniformHasTheRightMoments) {
  Rng rng(3);
  const int n = 100000;
  double sum = 0, squares = 0;
  for (int i = 0; i < n; ++i) {
    const double u = rng.uniform();
    ASSERT_GE(u, 0.0);
    ASSERT_LT(u, 1.0);
    sum += u;
    squares += u * u;
  }
  EXPECT_NEAR(sum / n, 0.5, 5 * std::sqrt(1.0 / 12 / n));
  EXPECT_NEAR(squares / n, 1.0 / 3, 5 * std::sqrt(4.0 / 45 / n));
}

TEST(Rng, UniformNeverReachesTheUpperEnd) {
  Rng rng(0);
  const double high = std::nextafter(1.0, 2.0);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(rng.uniform(1.0, high), 1.0);
  EXPECT_EQ(rng.uniform(2.0, 2.0), 2.0);
}

TEST(Rng, BelowIsUniform) {
  Rng rng(5);
  std::array<int, 7> counts{};
  const int n = 70000;
  for (int i = 0; i < n; ++i) ++counts[rng.below(7)];
  double chi_square = 0;
  for (const int c : counts) chi_square += (c - 1e4) * (c - 1e4) / 1e4;
  EXPECT_LT(chi_square, 22.46);  // 0.999 quantile, 6 degrees of freedom
  EXPECT_EQ(rng.below(1), 0u);
  // A bound for which a bare modulo would give the lower half twice as often.
  const std::uint64_t bound = (std::uint64_t{1} << 63) + (std::uint64_t{1} << 62);
  int lower = 0;
  for (int i = 0; i < 10000; ++i) lower += rng.below(bound) < bound / 2;
  EXPECT_NEAR(lower, 5000, 250);
}

TEST(Rng, NormalHasTheRightMoments) {
  Rng rng(11);
  const int n = 100000;
  double sum = 0, squares = 0, fourth = 0;
  for (int i = 0; i < n; ++i) {
    const double x = rng.normal();
    ASSERT_TRUE(std::isfinite(x));
    sum += x;
    squares += x * x;
    fourth += x * x * x * x;
  }
  EXPECT_NEAR(sum / n, 0, 5 / std::sqrt(n));
  EXPECT_NEAR(squares / n, 1, 5 * std::sqrt(2.0 / n));
  EXPECT_NEAR(fourth / n, 3, 5 * std::sqrt(96.0 / n));
}

// Where n is no small part of 2^64, a product alone would give every third value twice as often.
TEST(Rng, BelowIsUniformWhereRejectionMatters) {
  Rng rng(5);
  constexpr int kDraws = 30000;
  int thirds = 0;
  for (int i = 0; i < kDraws; ++i) thirds += rng.below(3ULL << 62) % 3 == 0;
  EXPECT_NEAR(thirds, kDraws / 3.0, 5 * std::sqrt(kDraws * 2.0 / 9));
}

TEST(Rng, UniformHasAllBitsOfADouble) {
  Rng rng(6);
  std::uint64_t seen = 0;
  for (int i = 0; i < 200; ++i) {
    const double scaled = rng.uniform() * 0x1p53;
    ASSERT_EQ(scaled, std::floor(scaled));
    seen |= static_cast<std::uint64_t>(scaled);
  }
  EXPECT_EQ(seen, (std::uint64_t{1} << 53) - 1);
}

TEST(Rng, BernoulliAlwaysConsumesOneDraw) {
  Rng a(1), b(1);
  EXPECT_FALSE(a.bernoulli(0.0));
  EXPECT_TRUE(b.bernoulli(1.0));
  EXPECT_EQ(a.next_u64(), b.next_u64());
}

TEST(Rng, PermutationsAreEquallyLikely) {
  Rng rng(2);
  std::array<int, 6> counts{};
  for (int i = 0; i < 60000; ++i) {
    const auto p = random_permutation(3, rng);
    ASSERT_EQ(p[0] + p[1] + p[2], 3);
    ++counts[static_cast<std::size_t>(p[0] * 2 + (p[1] > p[2]))];
  }
  for (const int c : counts) EXPECT_NEAR(c, 10000, 500);
  EXPECT_TRUE(random_permutation(0, rng).empty());
  auto big = random_permutation(1000, rng);
  EXPECT_FALSE(std::is_sorted(big.begin(), big.end()));
  std::sort(big.begin(), big.end());
  for (std::int64_t i = 0; i < 1000; ++i) EXPECT_EQ(big[static_cast<std::size_t>(i)], i);
}

}  // namespace
}  // namespace dino
