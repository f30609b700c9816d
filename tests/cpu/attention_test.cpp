// Attention kernels against plain double-precision loops, forward and backward.
#include "dino/cpu/attention.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <tuple>
#include <vector>

#include "dino/base/rng.h"

namespace dino::cpu {
namespace {

struct Sizes {
  std::int64_t queries, keys, head_dim;
};

float round_to(Type type, float x) {
  if (type == Type::F32) return x;
  std::uint32_t bits;
  std::memcpy(&bits, &x, 4);
  bits = (bits + 0x7fff + ((bits >> 16) & 1)) & 0xffff0000U;
  std::memcpy(&x, &bits, 4);
  return x;
}

/** Values as doubles and as stored elements, rows `stride` apart. */
struct Matrix {
  std::vector<double> values;
  std::vector<char> bytes;
  std::int64_t rows, columns, stride;
  Type type;

  Matrix(std::int64_t r, std::int64_t c, std::int64_t s, Type t, Rng* rng, double mean = 0)
      : values(static_cast<std::size_t>(r * c)),
        bytes(static_cast<std::size_t>(r * s * (t == Type::F32 ? 4 : 2)) + 64),
        rows(r),
        columns(c),
        stride(s),
        type(t) {
    for (std::int64_t i = 0; i < r; ++i) {
      for (std::int64_t j = 0; rng != nullptr && j < c; ++j) {
        const float x = round_to(t, static_cast<float>(mean + rng->normal()));
        at(i, j) = static_cast<double>(x);
        put(i, j, x);
      }
    }
  }
  double& at(std::int64_t i, std::int64_t j) {
    return values[static_cast<std::size_t>(i * columns + j)];
  }
  char* address(std::int64_t i, std::int64_t j) {
    return bytes.data() + (i * stride + j) * (type == Type::F32 ? 4 : 2);
  }
  void put(std::int64_t i, std::int64_t j, float x) {
    std::uint32_t bits;
    std::memcpy(&bits, &x, 4);
    if (type == Type::F32) {
      std::memcpy(address(i, j), &x, 4);
    } else {
      const auto half = static_cast<bf16>(bits >> 16);
      std::memcpy(address(i, j), &half, 2);
    }
  }
  double get(std::int64_t i, std::int64_t j) {
    if (type == Type::F32) {
      float x;
      std::memcpy(&x, address(i, j), 4);
      return static_cast<double>(x);
    }
    bf16 half;
    std::memcpy(&half, address(i, j), 2);
    const std::uint32_t bits = static_cast<std::uint32_t>(half) << 16;
    float x;
    std::memcpy(&x, &bits, 4);
    return static_cast<double>(x);
  }
};

/** Scratch for one call, aligned. */
class Scratch {
 public:
  Scratch(std::int64_t keys, std::int64_t head_dim)
      : memory_(static_cast<std::size_t>(attention_scratch_bytes(keys, head_dim)) + 64, 0x7f) {}
  void* data() {
    void* at = memory_.data();
    std::size_t space = memory_.size();
    return std::align(64, memory_.size() - 64, at, space);
  }

 private:
  std::vector<char> memory_;
};

double relative_error(Matrix& got, const std::vector<double>& expected) {
  double error = 0, norm = 0;
  for (std::int64_t i = 0; i < got.rows; ++i) {
    for (std::int64_t j = 0; j < got.columns; ++j) {
      const double e = expected[static_cast<std::size_t>(i * got.columns + j)];
      error += (got.get(i, j) - e) * (got.get(i, j) - e);
      norm += e * e;
    }
  }
  return std::sqrt(error / norm);
}

constexpr auto isa_name = [](const auto& info) {
  return fmt::format("{}_{}", std::get<2>(info.param)->name, info.index);
};

/** The forward pass of these matrices. */
Attention attention_of(const Sizes& sizes, Type type, double scale, const Matrix& q,
                       const Matrix& k, const Matrix& v, Matrix& out, Scratch& scratch) {
  const auto [n, m, d] = sizes;
  return {.type = type,
          .queries = n,
          .keys = m,
          .head_dim = d,
          .scale = static_cast<float>(scale),
          .q = q.bytes.data(),
          .k = k.bytes.data(),
          .v = v.bytes.data(),
          .q_stride = q.stride,
          .kv_stride = k.stride,
          .out = out.bytes.data(),
          .out_stride = out.stride,
          .scratch = scratch.data()};
}

class AttentionTest : public testing::TestWithParam<std::tuple<Sizes, Type, const Kernels*>> {};

TEST_P(AttentionTest, EqualsPlainLoops) {
  const auto [sizes, type, isa] = GetParam();
  const auto [n, m, d] = sizes;
  const double scale = 1.0 / std::sqrt(static_cast<double>(d));
  Rng rng(1);
  Matrix q(n, d, 3 * d + 2, type, &rng), k(m, d, 3 * d, type, &rng), v(m, d, 3 * d, type, &rng);
  Matrix dout(n, d, d + 2, type, &rng), out(n, d, d + 2, type, nullptr);
  Matrix dq(n, d, 3 * d + 2, type, nullptr), dk(m, d, 3 * d, type, nullptr),
      dv(m, d, 3 * d, type, nullptr);
  std::vector<float> logsumexp(static_cast<std::size_t>(n));
  Scratch scratch(m, d);
  Attention a = attention_of(sizes, type, scale, q, k, v, out, scratch);
  a.logsumexp = logsumexp.data();
  isa->attention_forward(a);
  isa->attention_backward({.forward = a,
                           .dout = dout.bytes.data(),
                           .dq = dq.bytes.data(),
                           .dk = dk.bytes.data(),
                           .dv = dv.bytes.data()});

  std::vector<double> o(static_cast<std::size_t>(n * d)), eq(o.size()),
      ek(static_cast<std::size_t>(m * d)), ev(ek.size());
  const auto index = [d = d](std::int64_t i, std::int64_t j) {
    return static_cast<std::size_t>(i * d + j);
  };
  for (std::int64_t i = 0; i < n; ++i) {
    std::vector<double> p(static_cast<std::size_t>(m)), dp(p.size());
    double total = 0;
    for (std::int64_t j = 0; j < m; ++j) {
      double s = 0;
      for (std::int64_t c = 0; c < d; ++c) s += q.at(i, c) * k.at(j, c);
      total += p[static_cast<std::size_t>(j)] = std::exp(s * scale);
    }
    double delta = 0;
    for (std::int64_t j = 0; j < m; ++j) {
      const auto jj = static_cast<std::size_t>(j);
      p[jj] /= total;
      for (std::int64_t c = 0; c < d; ++c) {
        o[index(i, c)] += p[jj] * v.at(j, c);
        dp[jj] += dout.at(i, c) * v.at(j, c);
        ev[index(j, c)] += p[jj] * dout.at(i, c);
      }
      delta += p[jj] * dp[jj];
    }
    for (std::int64_t j = 0; j < m; ++j) {
      const double ds =
          p[static_cast<std::size_t>(j)] * (dp[static_cast<std::size_t>(j)] - delta) * scale;
      for (std::int64_t c = 0; c < d; ++c) {
        eq[index(i, c)] += ds * k.at(j, c);
        ek[index(j, c)] += ds * q.at(i, c);
      }
    }
  }
  const double tolerance =
      type == Type::F32 ? 1e-5 : 1.5e-2;  // bf16 keeps 8 bits of P, dS and results
  EXPECT_LT(relative_error(out, o), tolerance);
  EXPECT_LT(relative_error(dq, eq), tolerance);
  EXPECT_LT(relative_error(dk, ek), tolerance);
  EXPECT_LT(relative_error(dv, ev), tolerance);
}

INSTANTIATE_TEST_SUITE_P(Shapes, AttentionTest,
                         testing::Combine(testing::Values(Sizes{17, 17, 64}, Sizes{50, 50, 64},
                                                          Sizes{1, 50, 64}, Sizes{5, 5, 32},
                                                          Sizes{197, 197, 64}, Sizes{1, 3, 2},
                                                          Sizes{97, 97, 20}, Sizes{49, 130, 48}),
                                          testing::Values(Type::F32, Type::BF16),
                                          testing::ValuesIn(supported_kernels())),
                         isa_name);

// ---- int8 ----

struct Int8Case {
  Sizes sizes;
  double sharpness;  ///< of the scores
};

/** softmax(Q K^T scale) V in doubles. Shifted scores are no trouble for it. */
std::vector<double> plain_attention(Matrix& q, Matrix& k, Matrix& v, double scale) {
  std::vector<double> out(static_cast<std::size_t>(q.rows * v.columns));
  for (std::int64_t i = 0; i < q.rows; ++i) {
    std::vector<double> scores(static_cast<std::size_t>(k.rows));
    for (std::int64_t j = 0; j < k.rows; ++j)
      for (std::int64_t c = 0; c < k.columns; ++c)
        scores[static_cast<std::size_t>(j)] += scale * q.at(i, c) * k.at(j, c);
    const double top = *std::max_element(scores.begin(), scores.end());
    double total = 0;
    for (double& score : scores) total += score = std::exp(score - top);
    for (std::int64_t j = 0; j < k.rows; ++j)
      for (std::int64_t c = 0; c < v.columns; ++c)
        out[static_cast<std::size_t>(i * v.columns + c)] +=
            scores[static_cast<std::size_t>(j)] / total * v.at(j, c);
  }
  return out;
}

class Int8AttentionTest
    : public testing::TestWithParam<std::tuple<Int8Case, Type, const Kernels*>> {};

TEST_P(Int8AttentionTest, IsCloseToPlainLoops) {
  const auto [test, type, isa] = GetParam();
  const auto [n, m, d] = test.sizes;
  Rng rng(7);
  Matrix q(n, d, 3 * d, type, &rng), k(m, d, 3 * d, type, &rng), v(m, d, 3 * d, type, &rng);
  Matrix out(n, d, d + 2, type, nullptr);
  const double scale = test.sharpness / std::sqrt(static_cast<double>(d));
  Scratch scratch(m, d);
  Attention a = attention_of(test.sizes, type, scale, q, k, v, out, scratch);
  a.int8 = true;
  isa->attention_forward(a);
  EXPECT_LT(relative_error(out, plain_attention(q, k, v, scale)), 0.02 * test.sharpness);
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, Int8AttentionTest,
    testing::Combine(testing::Values(Int8Case{{17, 17, 64}, 1}, Int8Case{{257, 257, 64}, 1},
                                     Int8Case{{1, 50, 64}, 1}, Int8Case{{5, 1370, 64}, 1},
                                     Int8Case{{49, 130, 48}, 1}, Int8Case{{3, 97, 20}, 1},
                                     Int8Case{{1, 3, 6}, 1}, Int8Case{{60, 300, 64}, 3},
                                     Int8Case{{60, 300, 64}, 0.1}),
                     testing::Values(Type::F32, Type::BF16),
                     testing::ValuesIn(supported_kernels())),
    isa_name);

/** Every kind of kernel, on every instruction set, with scores far from zero on either side:
 * softmax does not see the shift, and trained networks are free to have it. */
class ShiftedAttention : public testing::TestWithParam<const Kernels*> {
 protected:
  /** Relative error with `keys` keys whose scores average about `mean_score`. */
  double error(Type type, bool int8, std::int64_t keys, double mean_score) const {
    constexpr std::int64_t kDim = 64, kQueries = 7;
    const double scale = 1 / std::sqrt(static_cast<double>(kDim));
    const double shift = std::sqrt(std::abs(mean_score) / scale / kDim);
    Rng rng(static_cast<std::uint64_t>(keys));
    Matrix q(kQueries, kDim, 3 * kDim, type, &rng, shift);
    Matrix k(keys, kDim, 3 * kDim, type, &rng, mean_score < 0 ? -shift : shift);
    Matrix v(keys, kDim, 3 * kDim, type, &rng, 0.5), out(kQueries, kDim, kDim, type, nullptr);
    Scratch scratch(keys, kDim);
    Attention a = attention_of({kQueries, keys, kDim}, type, scale, q, k, v, out, scratch);
    a.int8 = int8;
    GetParam()->attention_forward(a);
    return relative_error(out, plain_attention(q, k, v, scale));
  }
};

TEST_P(ShiftedAttention, IsAsCloseAsWithoutTheShift) {
  std::vector<std::int64_t> counts = {197, 256, 257, 1370};
  for (std::int64_t keys = 1; keys <= 40; ++keys) counts.push_back(keys);
  for (const std::int64_t keys : counts)
    for (const double mean_score : {-64.0, -32.0, -13.5, -8.0, 0.0, 8.0, 32.0}) {
      // Bytes have the shift and the rest to hold: what is left of them grows coarse with it.
      const double coarse = 0.02 + 0.0015 * std::abs(mean_score);
      for (const Type type : {Type::F32, Type::BF16}) {
        EXPECT_LT(error(type, false, keys, mean_score), type == Type::F32 ? 2e-5 : 1.5e-2)
            << keys << " keys, mean score " << mean_score;
        EXPECT_LT(error(type, true, keys, mean_score), coarse)
            << "int8, " << keys << " keys, mean score " << mean_score;
      }
    }
}

/** A value that is not finite must never be lost: whoever looks at the result has to see it. */
TEST_P(ShiftedAttention, KeepsWhatIsNotFinite) {
  constexpr std::int64_t kKeys = 21, kDim = 8;
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
        std::bit_cast<float>(0xffffffffU)})
    for (const bool int8 : {false, true})
      for (int which = 0; which < 3; ++which) {
        std::vector<float> q(kDim, 0.5F), k(kKeys * kDim, 0.25F), v(kKeys * kDim, 1), out(kDim);
        (which == 0 ? q[3] : which == 1 ? k[5 * kDim + 3] : v[5 * kDim + 3]) = bad;
        Scratch scratch(kKeys, kDim);
        GetParam()->attention_forward({.queries = 1,
                                       .keys = kKeys,
                                       .head_dim = kDim,
                                       .q = q.data(),
                                       .k = k.data(),
                                       .v = v.data(),
                                       .q_stride = kDim,
                                       .kv_stride = kDim,
                                       .out = out.data(),
                                       .out_stride = kDim,
                                       .int8 = int8,
                                       .scratch = scratch.data()});
        EXPECT_FALSE(std::isfinite(out[3])) << bad << ", int8 " << int8 << ", factor " << which;
      }
}

constexpr auto set_name = [](const auto& test) { return test.param->name; };

INSTANTIATE_TEST_SUITE_P(EverySet, ShiftedAttention, testing::ValuesIn(supported_kernels()),
                         set_name);

/** Attention of one query [dim] to keys and values [keys, dim]. */
std::vector<float> attend_int8(const std::vector<float>& q, const std::vector<float>& k,
                               const std::vector<float>& v) {
  const auto dim = static_cast<std::int64_t>(q.size());
  const auto keys = static_cast<std::int64_t>(k.size()) / dim;
  std::vector<float> out(q.size());
  Scratch scratch(keys, dim);
  kernels().attention_forward({.queries = 1,
                               .keys = keys,
                               .head_dim = dim,
                               .q = q.data(),
                               .k = k.data(),
                               .v = v.data(),
                               .q_stride = dim,
                               .kv_stride = dim,
                               .out = out.data(),
                               .out_stride = dim,
                               .int8 = true,
                               .scratch = scratch.data()});
  return out;
}

/** One key takes a fifth of the weight, a thousand others the rest: none of these may be lost, as
 * they would be in 8 bits. */
TEST(Int8Attention, ManySmallWeightsBesideALargeOneCount) {
  constexpr std::int64_t kKeys = 1370, kDim = 64;
  std::vector<float> q(kDim, 0), k(kKeys * kDim, 0), v(kKeys * kDim, 1);
  q[0] = 8;
  k[0] = std::log(0.2F / 0.8F * (kKeys - 1)) / 8;  // key 0 is looked at most
  std::fill_n(v.begin(), kDim, 0.0F);              // and has nothing to say
  for (const float x : attend_int8(q, k, v)) EXPECT_NEAR(x, 0.8F, 2e-3F);
}

/** What all keys agree on comes out, whatever the weights were rounded to. */
TEST(Int8Attention, WeightsSumToOne) {
  constexpr std::int64_t kKeys = 333, kDim = 32;
  Rng rng(3);
  std::vector<float> q(kDim), k(kKeys * kDim), v(kKeys * kDim, -2.5F);
  for (float& x : q) x = static_cast<float>(rng.normal());
  for (float& x : k) x = static_cast<float>(rng.normal());
  for (const float x : attend_int8(q, k, v)) EXPECT_NEAR(x, -2.5F, 1e-5F);
}

}  // namespace
}  // namespace dino::cpu
