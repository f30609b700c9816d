// The element-wise kernels against plain loops in double, on every instruction set of this machine,
// both element types, lengths around the width of a vector, and inputs whose mean is not zero.
#include "dino/cpu/kernels.h"

#include <limits>

#include "tests/cpu/kernels_checks.h"

namespace dino::cpu {
namespace {

double gelu(double x) {
  return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0)));
}
double gelu_slope(double x) {
  return 0.5 * (1 + std::erf(x / std::sqrt(2.0))) +
         x * std::exp(-x * x / 2) / std::sqrt(2 * std::acos(-1.0));
}

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

TEST_P(KernelsTest, SwiGlu) {
  for (const std::int64_t n : kLengths)
    for (const double mean : {-90.0, -4.0, 0.0, 6.0, 90.0}) {
      constexpr std::int64_t kRows = 2;
      Values u(type(), kRows * 2 * n, 1, mean, 2), out(type(), kRows * n),
          g(type(), kRows * n, 2, 1);
      const std::vector<double> before = u.doubles(), dout = g.doubles();
      set().swiglu_forward(type(), u.data(), out.data(), kRows, n);
      std::vector<float> dbias(static_cast<std::size_t>(2 * n), 7);
      set().swiglu_backward(type(), u.data(), g.data(), dbias.data(), kRows, n);
      const auto width = static_cast<std::size_t>(n);
      for (std::size_t i = 0; i < kRows * width; ++i) {
        const std::size_t at = i / width * 2 * width + i % width;
        const double gate = before[at], value = before[at + width], d = dout[i];
        const double share = 1 / (1 + std::exp(-gate)), silu = gate * share;
        const auto near = [&](double actual, double expected) {
          EXPECT_NEAR(actual, expected, tolerance(1e-5) * std::abs(expected) + 1e-5);
        };
        near(double{out[i]}, silu * value);
        near(double{u[at]}, d * value * share * (1 + gate * (1 - share)));
        near(double{u[at + width]}, d * silu);
        EXPECT_EQ(g[i], out[i]) << "the gradient becomes the output";
      }
      for (std::size_t c = 0; c < 2 * width; ++c) {
        const double sum = 7 + double{u[c]} + double{u[c + 2 * width]};
        EXPECT_NEAR(double{dbias[c]}, sum, tolerance(1e-5) * 4 * (std::abs(sum) + 300));
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
  // Equal numbers round to the same side each time: sums in fp32 alone would drift.
  const std::vector<float> equal(1 << 20, 0.1F);
  const double square = double{0.1F} * double{0.1F};
  EXPECT_NEAR(set().sum_of_squares(equal.data(), 1 << 20), square * (1 << 20), square * 10);
  const std::vector<float> many = noise(100'003, 5, 100);
  double squares = 0;
  for (const float x : many) squares += double{x} * double{x};
  EXPECT_NEAR(set().sum_of_squares(many.data(), std::ssize(many)), squares, 1e-6 * squares);
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

INSTANTIATE_TEST_SUITE_P(EverySet, KernelsTest, every_set_and_type(), set_and_type);

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
