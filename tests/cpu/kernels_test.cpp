// The element-wise kernels against plain loops in double, on every instruction set of this machine,
// both element types, lengths around the width of a vector, and inputs whose mean is not zero.
#include "dino/cpu/kernels.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <tuple>
#include <vector>

#include "dino/base/bfloat16.h"
#include "dino/base/rng.h"

namespace dino::cpu {
namespace {

constexpr std::int64_t kLengths[] = {1, 2, 7, 15, 16, 17, 31, 33, 64, 100, 384, 1000};

float widened(bf16 x) {
  return std::bit_cast<float>(std::uint32_t{x} << 16);
}

/** Numbers as a kernel takes them: floats, or bf16. */
class Values {
 public:
  Values(Type type, std::int64_t count) : type_(type), floats_(count), halves_(count) {}
  /** Normal around `mean`; what bf16 cannot hold is rounded away. */
  Values(Type type, std::int64_t count, std::uint64_t seed, double mean, double deviation = 1)
      : Values(type, count) {
    Rng rng(seed);
    for (std::size_t i = 0; i < floats_.size(); ++i)
      set(i, static_cast<float>(mean + deviation * rng.normal()));
  }
  void* data() { return type_ == Type::F32 ? static_cast<void*>(floats_.data()) : halves_.data(); }
  void set(std::size_t i, float x) {
    floats_[i] = x;
    halves_[i] = to_bfloat16(x);
  }
  float operator[](std::size_t i) const {
    return type_ == Type::F32 ? floats_[i] : widened(halves_[i]);
  }
  std::vector<double> doubles() const {
    std::vector<double> all;
    for (std::size_t i = 0; i < floats_.size(); ++i) all.push_back(double{(*this)[i]});
    return all;
  }

 private:
  Type type_;
  std::vector<float> floats_;
  std::vector<bf16> halves_;
};

std::vector<float> noise(std::int64_t count, std::uint64_t seed, double mean = 0) {
  Rng rng(seed);
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& value : values) value = static_cast<float>(mean + rng.normal());
  return values;
}

double gelu(double x) {
  return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0)));
}
double gelu_slope(double x) {
  return 0.5 * (1 + std::erf(x / std::sqrt(2.0))) +
         x * std::exp(-x * x / 2) / std::sqrt(2 * std::acos(-1.0));
}

class KernelsTest : public testing::TestWithParam<std::tuple<const Kernels*, Type>> {
 protected:
  const Kernels& set() const { return *std::get<0>(GetParam()); }
  Type type() const { return std::get<1>(GetParam()); }
  /** Of a result of `type`, computed in fp32 and then rounded. */
  double tolerance(double fp32) const { return type() == Type::F32 ? fp32 : fp32 + 4e-3; }

  template <typename Actual>
  void expect_near(const Actual& actual, const std::vector<double>& expected, double relative,
                   const std::string& what) const {
    double top = 0;
    for (const double e : expected) top = std::max(top, std::abs(e));
    for (std::size_t i = 0; i < expected.size(); ++i)
      ASSERT_NEAR(double{actual[i]}, expected[i],
                  relative * std::max(std::abs(expected[i]), 1e-2 * top) + 1e-30)
          << what << " at " << i << " of " << expected.size();
  }
};

TEST_P(KernelsTest, LayerNorm) {
  constexpr std::int64_t kRows = 3;
  constexpr float kEps = 1e-6F;
  for (const std::int64_t dim : kLengths)
    for (const double mean : {0.0, 30.0}) {
      const auto d = static_cast<std::size_t>(dim);
      const std::vector<float> x = noise(kRows * dim, 1, mean), gamma = noise(dim, 2, 1),
                               beta = noise(dim, 3), factor = {0.5F, 0, 2};
      Values y(type(), kRows * dim, 4, -mean / 3);
      std::vector<float> sum(x.size()), means(kRows), rstds(kRows);
      Values out(type(), kRows * dim);
      set().layer_norm_forward({.dim = dim,
                                .x_in = x.data(),
                                .x = sum.data(),
                                .y = y.data(),
                                .row_scale = factor.data(),
                                .gamma = gamma.data(),
                                .beta = beta.data(),
                                .eps = kEps,
                                .out = out.data(),
                                .mean = means.data(),
                                .rstd = rstds.data(),
                                .type = type()},
                               0, kRows);
      std::vector<double> expected, added;
      for (std::size_t r = 0; r < kRows; ++r) {
        double total = 0, squares = 0;
        for (std::size_t i = 0; i < d; ++i) {
          added.push_back(double{x[r * d + i]} + double{factor[r]} * double{y[r * d + i]});
          total += double{sum[r * d + i]};
        }
        const double m = total / static_cast<double>(dim);
        for (std::size_t i = 0; i < d; ++i) squares += std::pow(double{sum[r * d + i]} - m, 2);
        const double rstd = 1 / std::sqrt(squares / static_cast<double>(dim) + double{kEps});
        for (std::size_t i = 0; i < d; ++i)
          expected.push_back((double{sum[r * d + i]} - m) * rstd * double{gamma[i]} +
                             double{beta[i]});
        EXPECT_NEAR(double{means[r]}, m, 1e-6 * (1 + std::abs(m)));
        if (dim > 1) {
          EXPECT_NEAR(double{rstds[r]} / rstd, 1, 1e-4);
        }
      }
      expect_near(sum, added, 1e-5, "sum");
      if (dim > 1) expect_near(out, expected, tolerance(1e-3), fmt::format("norm, D = {}", dim));
    }
}

TEST_P(KernelsTest, LayerNormBackward) {
  constexpr std::int64_t kRows = 4;
  for (const std::int64_t dim : {2L, 17L, 64L, 100L}) {
    const auto d = static_cast<std::size_t>(dim);
    const auto n = static_cast<double>(dim);
    const std::vector<float> x = noise(kRows * dim, 1, 5), gamma = noise(dim, 2, 1),
                             residual = noise(kRows * dim, 3, 0.5), factor = {0.5F, 0, 2, 1};
    Values dy(type(), kRows * dim, 4, 0.25);
    std::vector<float> dx = residual, dgamma(d, 1), dbeta(d, 2), dbias(d, 3), mean, rstd;
    Values scaled(type(), kRows * dim);
    std::vector<double> egamma(d, 1), ebeta(d, 2), ebias(d, 3), edx, escaled;
    for (std::size_t r = 0; r < kRows; ++r) {
      double m = 0, squares = 0, sum_g = 0, sum_gx = 0;
      for (std::size_t i = 0; i < d; ++i) m += double{x[r * d + i]} / n;
      for (std::size_t i = 0; i < d; ++i) squares += std::pow(double{x[r * d + i]} - m, 2) / n;
      const double s = 1 / std::sqrt(squares + 1e-6);
      mean.push_back(static_cast<float>(m));
      rstd.push_back(static_cast<float>(s));
      const auto normed = [&](std::size_t i) { return (double{x[r * d + i]} - m) * s; };
      for (std::size_t i = 0; i < d; ++i) {
        const double dout = double{dy[r * d + i]}, g = dout * double{gamma[i]};
        egamma[i] += dout * normed(i);
        ebeta[i] += dout;
        sum_g += g / n;
        sum_gx += g * normed(i) / n;
      }
      for (std::size_t i = 0; i < d; ++i) {
        const double g = double{dy[r * d + i]} * double{gamma[i]};
        edx.push_back(double{residual[r * d + i]} + s * (g - sum_g - normed(i) * sum_gx));
        escaled.push_back(double{factor[r]} * edx.back());
        ebias[i] += escaled.back();
      }
    }
    set().layer_norm_backward({.dim = dim,
                               .dy = dy.data(),
                               .x = x.data(),
                               .mean = mean.data(),
                               .rstd = rstd.data(),
                               .gamma = gamma.data(),
                               .dx = dx.data(),
                               .scaled = scaled.data(),
                               .row_scale = factor.data(),
                               .dgamma = dgamma.data(),
                               .dbeta = dbeta.data(),
                               .dbias = dbias.data(),
                               .type = type()},
                              0, kRows);
    expect_near(dx, edx, 1e-3, "dx");
    expect_near(dgamma, egamma, 1e-3, "dgamma");
    expect_near(dbeta, ebeta, 1e-5, "dbeta");
    expect_near(dbias, ebias, 1e-3, "dbias");
    expect_near(scaled, escaled, tolerance(1e-3), "scaled");
  }
}

TEST_P(KernelsTest, Gelu) {
  for (const std::int64_t n : kLengths)
    for (const double mean : {-4.0, 0.0, 6.0}) {
      Values u(type(), n, 1, mean, 2), out(type(), n), g(type(), n, 2, 1);
      set().gelu_forward(type(), u.data(), out.data(), n);
      std::vector<double> value, slope, sums(static_cast<std::size_t>(n), 7);
      for (std::size_t i = 0; i < static_cast<std::size_t>(n); ++i) {
        value.push_back(gelu(double{u[i]}));
        slope.push_back(double{g[i]} * gelu_slope(double{u[i]}));
        sums[i] += slope.back();
      }
      // The normal distribution is good to 1.5e-7, times the input.
      for (std::size_t i = 0; i < value.size(); ++i)
        EXPECT_NEAR(double{out[i]}, value[i],
                    tolerance(0) * std::abs(value[i]) + 4e-7 * (1 + std::abs(double{u[i]})));
      std::vector<float> dbias(static_cast<std::size_t>(n), 7);
      set().gelu_backward(type(), u.data(), g.data(), dbias.data(), 1, n);
      for (std::size_t i = 0; i < value.size(); ++i) {
        EXPECT_EQ(u[i], out[i]) << "u becomes GELU(u)";
        EXPECT_NEAR(double{g[i]}, slope[i], tolerance(1e-5) * std::abs(slope[i]) + 1e-5);
        EXPECT_NEAR(double{dbias[i]}, sums[i], 1e-5 * std::abs(sums[i]) + 1e-5);
      }
    }
}

TEST_P(KernelsTest, SumsAndConversions) {
  for (const std::int64_t n : kLengths) {
    constexpr std::int64_t kRows = 3;
    const auto count = static_cast<std::size_t>(n);
    Values x(type(), kRows * n, 1, 3);
    std::vector<float> sums(count, 0.5F);
    std::vector<double> expected(count, 0.5);
    set().column_sums(type(), x.data(), sums.data(), kRows, n);
    for (std::size_t i = 0; i < kRows * count; ++i) expected[i % count] += double{x[i]};
    expect_near(sums, expected, 1e-6, "column sums");

    const std::vector<float> floats = noise(n, 2, -2);
    Values converted(type(), n);
    set().convert(type(), floats.data(), 0.75F, converted.data(), n);
    std::vector<float> added(count), accumulated(count, 1);
    set().add(type(), x.data(), floats.data(), added.data(), n);
    set().accumulate(floats.data(), accumulated.data(), n);
    double squares = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const float scaled = 0.75F * floats[i];
      EXPECT_EQ(converted[i], type() == Type::F32 ? scaled : widened(to_bfloat16(scaled)));
      EXPECT_EQ(added[i], x[i] + floats[i]);
      EXPECT_EQ(accumulated[i], 1 + floats[i]);
      squares += double{floats[i]} * double{floats[i]};
    }
    EXPECT_NEAR(set().sum_of_squares(floats.data(), n), squares, 1e-6 * squares);
  }
  const std::vector<float> many = noise(100'003, 5, 100);
  double squares = 0;
  for (const float x : many) squares += double{x} * double{x};
  EXPECT_NEAR(set().sum_of_squares(many.data(), std::ssize(many)), squares, 1e-6 * squares);
}

/** Logits far from zero on either side: softmax does not see it. */
TEST_P(KernelsTest, SoftmaxAndCrossEntropy) {
  for (const std::int64_t n : kLengths)
    for (const double mean : {-300.0, 0.0, 300.0}) {
      const auto count = static_cast<std::size_t>(n);
      constexpr double kInverse = 10;
      Values logits(type(), n, 1, mean / 10, 0.5);
      const std::vector<float> center = noise(n, 2, 0.3);
      const auto softmax = [&](std::vector<double> z) {
        const double top = *std::max_element(z.begin(), z.end());
        double total = 0;
        for (double& v : z) total += v = std::exp(v - top);
        for (double& v : z) v /= total;
        return z;
      };
      std::vector<double> z, centered;
      for (std::size_t i = 0; i < count; ++i) {
        z.push_back(kInverse * double{logits[i]});
        centered.push_back(kInverse * (double{logits[i]} - double{center[i]}));
      }
      const auto p = softmax(centered);
      double entropy = 0;
      for (const double v : p) entropy -= v > 0 ? v * std::log(v) : 0;
      std::vector<float> out(count);
      EXPECT_NEAR(set().softmax_row(type(), logits.data(), center.data(), kInverse, out.data(), n),
                  entropy, 2e-3);
      for (std::size_t i = 0; i < count; ++i) EXPECT_NEAR(double{out[i]}, p[i], 2e-4);

      const auto q = softmax(z);
      std::vector<float> first(count, 1.0F / static_cast<float>(n)), second(count, 0);
      second[count / 2] = 1;
      const float* targets[] = {first.data(), second.data()};
      double loss = 0;
      const double top = *std::max_element(z.begin(), z.end());
      double normalizer = 0;
      for (const double v : z) normalizer += std::exp(v - top);
      for (std::size_t i = 0; i < count; ++i)
        loss -= (double{first[i]} + double{second[i]}) * (z[i] - top - std::log(normalizer));
      EXPECT_NEAR(set().cross_entropy_row({.prototypes = n,
                                           .logits = logits.data(),
                                           .targets = targets,
                                           .target_count = 2,
                                           .inverse_temperature = kInverse,
                                           .gradient_scale = 0.25F,
                                           .type = type()}),
                  loss, 1e-4 * (1 + std::abs(loss)));
      for (std::size_t i = 0; i < count; ++i)
        EXPECT_NEAR(double{logits[i]},
                    0.25 * kInverse * (2 * q[i] - double{first[i]} - double{second[i]}),
                    tolerance(1e-3) * 5)
            << "the gradient takes the place of the logits";
    }
}

TEST_P(KernelsTest, AdamWAndEma) {
  for (const std::int64_t n : kLengths) {
    const auto count = static_cast<std::size_t>(n);
    const std::vector<float> gradient = noise(n, 1, 2), before = noise(n, 2, -1);
    std::vector<float> value = before, first = noise(n, 3, 0.5), second(count);
    for (std::size_t i = 0; i < count; ++i) second[i] = std::abs(before[i]) * 1e-3F;
    std::vector<double> ev, em, es;
    constexpr double kLr = 0.01, kB1 = 0.9, kB2 = 0.999, kEps = 1e-8, kDecay = 0.1, kScale = 0.5,
                     kC1 = 0.19, kC2 = 0.002;
    for (std::size_t i = 0; i < count; ++i) {
      const double g = kScale * double{gradient[i]};
      em.push_back(kB1 * double{first[i]} + (1 - kB1) * g);
      es.push_back(kB2 * double{second[i]} + (1 - kB2) * g * g);
      ev.push_back(double{value[i]} * (1 - kLr * kDecay) -
                   kLr * (em[i] / kC1) / (std::sqrt(es[i] / kC2) + kEps));
    }
    set().adamw({.value = value.data(),
                 .gradient = gradient.data(),
                 .first_moment = first.data(),
                 .second_moment = second.data(),
                 .gradient_scale = static_cast<float>(kScale),
                 .lr = static_cast<float>(kLr),
                 .beta1 = static_cast<float>(kB1),
                 .beta2 = static_cast<float>(kB2),
                 .eps = static_cast<float>(kEps),
                 .weight_decay = static_cast<float>(kDecay),
                 .bias_correction1 = static_cast<float>(kC1),
                 .bias_correction2 = static_cast<float>(kC2)},
                n);
    expect_near(value, ev, 1e-4, "value");
    expect_near(first, em, 1e-5, "first moment");
    expect_near(second, es, 1e-4, "second moment");

    std::vector<float> teacher = before;
    std::vector<double> expected;
    for (std::size_t i = 0; i < count; ++i)
      expected.push_back(0.996 * double{before[i]} + 0.004 * double{gradient[i]});
    set().ema(teacher.data(), gradient.data(), 0.996F, n);
    expect_near(teacher, expected, 1e-4, "teacher");
  }
}

TEST_P(KernelsTest, RotateAndPatchify) {
  for (const std::int64_t head_dim : {2L, 6L, 32L, 48L, 64L, 66L}) {
    constexpr std::int64_t kHeads = 3;
    Values x(type(), kHeads * head_dim, 1, 2);
    const std::vector<double> before = x.doubles();
    const std::vector<float> cosines = noise(head_dim, 2), sines = noise(head_dim, 3);
    set().rotate(type(), x.data(), kHeads, head_dim, cosines.data(), sines.data());
    const auto half = static_cast<std::size_t>(head_dim / 2);
    std::vector<double> expected(before.size());
    for (std::size_t h = 0; h < kHeads; ++h)
      for (std::size_t i = 0; i < half; ++i) {
        const std::size_t a = 2 * h * half + i, b = a + half;
        expected[a] = before[a] * double{cosines[i]} - before[b] * double{sines[i]};
        expected[b] = before[b] * double{cosines[i]} + before[a] * double{sines[i]};
      }
    for (std::size_t i = 0; i < expected.size(); ++i)
      EXPECT_NEAR(double{x[i]}, expected[i], tolerance(1e-6) * 10);
  }
  constexpr std::int64_t kChannels = 2, kHeight = 11, kWidth = 9, kPatch = 4;
  const std::vector<float> image = noise(kChannels * kHeight * kWidth, 4, 5);
  Values out(type(), 2 * 2 * kChannels * kPatch * kPatch);
  set().patchify(type(), image.data(), kChannels, kHeight, kWidth, kPatch, out.data());
  std::size_t at = 0;
  for (std::int64_t y = 0; y < 2; ++y)
    for (std::int64_t x = 0; x < 2; ++x)
      for (std::int64_t c = 0; c < kChannels; ++c)
        for (std::int64_t r = 0; r < kPatch; ++r)
          for (std::int64_t i = 0; i < kPatch; ++i, ++at) {
            const float pixel = image[static_cast<std::size_t>(
                (c * kHeight + y * kPatch + r) * kWidth + x * kPatch + i)];
            EXPECT_EQ(out[at], type() == Type::F32 ? pixel : widened(to_bfloat16(pixel)));
          }
}

/** Whatever its payload, and wherever in a vector: a NaN gradient that became a number would be
 * trained on. */
TEST_P(KernelsTest, NanStaysNan) {
  for (const std::uint32_t payload :
       {0x7fc00000U, 0xffc00000U, 0xffffffffU, 0x7fffffffU, 0x7f800001U, 0x7fbfffffU, 0xff80ffffU})
    for (const std::int64_t n : {1L, 16L, 21L}) {
      const auto bad = std::bit_cast<float>(payload);
      const auto last = static_cast<std::size_t>(n - 1);
      std::vector<float> x(static_cast<std::size_t>(n), 1);
      x[last] = bad;
      Values out(type(), n);
      set().convert(type(), x.data(), 1, out.data(), n);
      EXPECT_TRUE(std::isnan(out[last])) << fmt::format("convert of {:x}", payload);
      Values logits(type(), n, 1, 0);
      logits.set(last, bad);
      EXPECT_TRUE(std::isnan(logits[last])) << fmt::format("to_bfloat16 of {:x}", payload);
      set().gelu_forward(type(), logits.data(), out.data(), n);
      EXPECT_TRUE(std::isnan(out[last])) << fmt::format("GELU of {:x}", payload);
      const std::vector<float> zeros(static_cast<std::size_t>(n), 0);
      std::vector<float> softmax(static_cast<std::size_t>(n));
      EXPECT_TRUE(
          std::isnan(set().softmax_row(type(), logits.data(), zeros.data(), 1, softmax.data(), n)));
      EXPECT_TRUE(std::isnan(softmax[0])) << fmt::format("softmax of {:x}", payload);
      const float* targets[] = {zeros.data()};
      EXPECT_TRUE(std::isnan(set().cross_entropy_row({.prototypes = n,
                                                      .logits = logits.data(),
                                                      .targets = targets,
                                                      .target_count = 1,
                                                      .inverse_temperature = 1,
                                                      .type = type()})))
          << fmt::format("cross-entropy of {:x}", payload);
      EXPECT_TRUE(std::isnan(set().sum_of_squares(x.data(), n)));
    }
}

constexpr auto set_and_type = [](const auto& test) {
  const auto& [set, type] = test.param;
  return fmt::format("{}_{}", set->name, type == Type::F32 ? "F32" : "BF16");
};

INSTANTIATE_TEST_SUITE_P(EverySet, KernelsTest,
                         testing::Combine(testing::ValuesIn(supported_kernels()),
                                          testing::Values(Type::F32, Type::BF16)),
                         set_and_type);

TEST(KernelsForTesting, ChoosesASetAndGivesTheFastestBack) {
  const auto sets = supported_kernels();
  for (const Kernels* set : sets) {
    const KernelsForTesting use(*set);
    EXPECT_EQ(&kernels(), set);
  }
  EXPECT_EQ(&kernels(), sets.back());
}

}  // namespace
}  // namespace dino::cpu
