// What the element-wise kernels' other tests leave out: arguments that may be null, rows that are
// not a call's own, values near the ends of their range, sums of many thousands.
#include <cstring>
#include <limits>

#include "dino/cpu/gemm.h"
#include "tests/cpu/kernels_checks.h"

namespace dino::cpu {
namespace {

class EdgeKernelsTest : public KernelsTest {};

/** Rows that hardly vary: eps is as large as their variance. */
TEST_P(EdgeKernelsTest, LayerNormOfNearlyConstantRows) {
  for (const std::int64_t dim : {16L, 33L, 384L})
    for (const double mean : {-3.0, 0.0, 0.25}) {
      const auto d = static_cast<std::size_t>(dim);
      constexpr double kEps = 1e-5;
      Rng rng(1);
      std::vector<float> x(d), ones(d, 1), zeros(d, 0);
      for (float& v : x) v = static_cast<float>(mean + 3e-3 * rng.normal());
      Values out(type(), dim);
      float found_mean = 0, rstd = 0;
      set().layer_norm_forward({.dim = dim,
                                .x_in = x.data(),
                                .gamma = ones.data(),
                                .beta = zeros.data(),
                                .eps = static_cast<float>(kEps),
                                .out = out.data(),
                                .mean = &found_mean,
                                .rstd = &rstd,
                                .type = type()},
                               0, 1);
      double m = 0, squares = 0;
      for (const float v : x) m += double{v} / static_cast<double>(dim);
      for (const float v : x) squares += std::pow(double{v} - m, 2) / static_cast<double>(dim);
      const double wanted = 1 / std::sqrt(squares + kEps);
      EXPECT_NEAR(double{rstd} / wanted, 1, 1e-5) << dim;
      std::vector<double> expected;
      for (const float v : x) expected.push_back((double{v} - m) * wanted);
      for (std::size_t i = 0; i < d; ++i)
        EXPECT_NEAR(double{out[i]}, expected[i], tolerance(2e-4) * (1 + std::abs(expected[i])));
    }
}

TEST_P(EdgeKernelsTest, LayerNormTouchesItsOwnRowsAlone) {
  constexpr std::int64_t kDim = 21, kRows = 5;
  const std::vector<float> before = noise(kRows * kDim, 1, 2), gamma = noise(kDim, 2, 1),
                           beta = noise(kDim, 3);
  Values y(type(), kRows * kDim, 4, 1), whole(type(), kRows * kDim), part(type(), kRows * kDim);
  std::vector<float> x = before, moved = before;
  const auto forward = [&](std::vector<float>& stream, Values& out) {
    return LayerNormForward{.dim = kDim,
                            .x_in = stream.data(),
                            .x = stream.data(),  // in place
                            .y = y.data(),
                            .gamma = gamma.data(),
                            .beta = beta.data(),
                            .out = out.data(),
                            .type = type()};
  };
  set().layer_norm_forward(forward(x, whole), 0, kRows);
  set().layer_norm_forward(forward(moved, part), 2, 4);
  LayerNormForward sum_only = forward(moved, part);
  sum_only.gamma = nullptr;
  sum_only.out = nullptr;
  set().layer_norm_forward(sum_only, 4, 5);
  for (std::size_t i = 0; i < before.size(); ++i) {
    const auto row = static_cast<std::int64_t>(i) / kDim;
    EXPECT_NEAR(x[i], before[i] + y[i], 1e-6F) << "without factors";
    EXPECT_EQ(moved[i], row >= 2 ? x[i] : before[i]);
    EXPECT_EQ(part[i], row == 2 || row == 3 ? whole[i] : 0);
  }
}

TEST_P(EdgeKernelsTest, LayerNormBackwardWithoutItsExtras) {
  constexpr std::int64_t kDim = 21, kRows = 3;
  const std::vector<float> x = noise(kRows * kDim, 1, 2), gamma = noise(kDim, 2, 1),
                           residual = noise(kRows * kDim, 3), mean = {2, 1.5, 2.5},
                           rstd = {1, 0.5, 2};
  Values dy(type(), kRows * kDim, 4, 0.25), scaled(type(), kRows * kDim);
  std::vector<float> full = residual, bare = residual, dgamma(kDim), dbeta(kDim), dbias(kDim),
                     dgamma2(kDim), dbeta2(kDim);
  LayerNormBackward a{.dim = kDim,
                      .dy = dy.data(),
                      .x = x.data(),
                      .mean = mean.data(),
                      .rstd = rstd.data(),
                      .gamma = gamma.data(),
                      .dx = full.data(),
                      .scaled = scaled.data(),
                      .dgamma = dgamma.data(),
                      .dbeta = dbeta.data(),
                      .dbias = dbias.data(),
                      .type = type()};
  set().layer_norm_backward(a, 1, 3);
  a.dx = bare.data();
  a.scaled = nullptr;
  a.dbias = nullptr;
  a.dgamma = dgamma2.data();
  a.dbeta = dbeta2.data();
  set().layer_norm_backward(a, 1, 3);
  EXPECT_EQ(bare, full);
  EXPECT_EQ(dgamma2, dgamma);
  EXPECT_EQ(dbeta2, dbeta);
  for (std::size_t i = 0; i < full.size(); ++i) {
    if (static_cast<std::int64_t>(i) < kDim) {
      EXPECT_EQ(full[i], residual[i]) << "not a row of this call";
      EXPECT_EQ(scaled[i], 0);
    } else {
      EXPECT_NEAR(scaled[i], full[i], tolerance(0) * std::abs(double{full[i]}))
          << "a factor of 1 where none is given";
    }
  }
  for (std::size_t i = 0; i < kDim; ++i)
    EXPECT_NEAR(dbias[i], full[kDim + i] + full[2 * kDim + i], 1e-5F);
}

TEST_P(EdgeKernelsTest, GeluFarFromZeroIsZeroOrTheInput) {
  Values u(type(), 20), out(type(), 20), g(type(), 20);
  const std::vector<float> at = {0, 1e-30F, 1e-3F, 1, 3, 5.5F, 8, 13, 100, 1e4F};
  for (std::size_t i = 0; i < at.size(); ++i) {
    u.set(i, at[i]);
    u.set(10 + i, -at[i]);
    g.set(i, 1);
    g.set(10 + i, 1);
  }
  set().gelu_forward(type(), u.data(), out.data(), 20);
  std::vector<float> values;
  for (std::size_t i = 0; i < 20; ++i) {
    values.push_back(u[i]);
    const double x = double{u[i]}, exact = x * std::erfc(-x / std::sqrt(2.0)) / 2;
    EXPECT_NEAR(double{out[i]}, exact, tolerance(2e-7) * std::abs(x)) << x;
  }
  set().gelu_backward(type(), u.data(), g.data(), nullptr, 4, 5);
  for (std::size_t i = 0; i < 20; ++i) {
    EXPECT_EQ(u[i], out[i]);
    if (std::abs(values[i]) > 7) {
      EXPECT_NEAR(double{g[i]}, values[i] > 0 ? 1 : 0, 1e-5) << values[i];
    }
  }
}

TEST_P(EdgeKernelsTest, GeluBackwardSumsOverRows) {
  constexpr std::int64_t kRows = 3, kDim = 18;
  Values u(type(), kRows * kDim, 1, 0.5), g(type(), kRows * kDim, 2, 1);
  std::vector<float> dbias(kDim, 2);
  const std::vector<double> inputs = u.doubles(), gradients = g.doubles();
  set().gelu_backward(type(), u.data(), g.data(), dbias.data(), kRows, kDim);
  for (std::size_t c = 0; c < kDim; ++c) {
    double sum = 2;
    for (std::size_t r = 0; r < kRows; ++r) {
      const double x = inputs[r * kDim + c];
      sum += gradients[r * kDim + c] * (std::erfc(-x / std::sqrt(2.0)) / 2 +
                                        x * std::exp(-x * x / 2) / std::sqrt(2 * std::acos(-1.0)));
    }
    EXPECT_NEAR(double{dbias[c]}, sum, 1e-5);
  }
}

/** More prototypes than are summed in one piece, and one that is far above all others. */
TEST_P(EdgeKernelsTest, SoftmaxOfManyPrototypes) {
  for (const std::int64_t n : {4095L, 4097L, 20'003L})
    for (const float peak : {0.0F, 40.0F}) {
      const auto count = static_cast<std::size_t>(n);
      Values logits(type(), n, 1, 3);
      logits.set(count - 2, peak);
      const std::vector<float> center = noise(n, 2, 1);
      std::vector<double> z(count);
      double total = 0, entropy = 0, normalizer = 0;
      for (std::size_t i = 0; i < count; ++i) {
        z[i] = 2 * (double{logits[i]} - double{center[i]});
        total += std::exp(z[i] - 80);
      }
      std::vector<float> out(count);
      const double found =
          set().softmax_row(type(), logits.data(), center.data(), 2, out.data(), n);
      double sum = 0;
      for (std::size_t i = 0; i < count; ++i) {
        const double p = std::exp(z[i] - 80) / total;
        entropy -= p > 0 ? p * std::log(p) : 0;
        sum += double{out[i]};
        ASSERT_NEAR(double{out[i]}, p, 5e-5 * p + 1e-12) << i << " of " << n;
      }
      EXPECT_NEAR(sum, 1, 1e-5);
      EXPECT_NEAR(found, entropy, 1e-4);

      const std::vector<float> target(count, 1 / static_cast<float>(n));
      const float* targets[] = {target.data()};
      double mean = 0;
      for (std::size_t i = 0; i < count; ++i) {
        mean += double{logits[i]} / static_cast<double>(n);
        normalizer += std::exp(double{logits[i]} - 40);
      }
      const std::vector<double> before = logits.doubles();
      EXPECT_NEAR(set().cross_entropy_row({.prototypes = n,
                                           .logits = logits.data(),
                                           .targets = targets,
                                           .target_count = 1,
                                           .inverse_temperature = 1,
                                           .gradient_scale = 1000,
                                           .type = type()}),
                  std::log(normalizer) + 40 - mean, 1e-3);
      for (std::size_t i = 0; i < count; ++i) {
        const double slope =
            1000 * (std::exp(before[i] - 40) / normalizer - 1 / static_cast<double>(n));
        ASSERT_NEAR(double{logits[i]}, slope, tolerance(1e-4) * std::abs(slope) + 1e-5);
      }
    }
}

/** What is too small for a float is nothing, however far below. */
TEST_P(EdgeKernelsTest, SoftmaxOfFarLogitsIsZero) {
  const std::vector<float> zeros(19, 0);
  for (const float far : {-88.0F, -90.0F, -1e4F, -1e30F}) {
    Values logits(type(), 19);
    for (std::size_t i = 0; i < 19; ++i) logits.set(i, i == 7 ? 0.0F : far);
    std::vector<float> out(19);
    const double entropy =
        set().softmax_row(type(), logits.data(), zeros.data(), 1, out.data(), 19);
    EXPECT_NEAR(entropy, 0, 1e-6) << far;
    for (std::size_t i = 0; i < 19; ++i) EXPECT_EQ(out[i], i == 7 ? 1.0F : 0.0F) << far;
  }
}

TEST_P(EdgeKernelsTest, ConvertRoundsToEvenAndOverflowsToInfinity) {
  const std::vector<float> x = {1 + 0x1p-8F, 1 + 0x3p-8F, -1 - 0x1p-8F,  0x1p-130F, -0.0F,
                                3.4e38F,     65504,       1 + 0x1.1p-8F, 0x1p-149F};
  std::vector<double> expected(x.begin(), x.end());
  if (type() == Type::BF16)
    expected = {1, 1 + 0x1p-6, -1, 0x1p-130, -0.0, HUGE_VAL, 65536, 1 + 0x1p-7, 0};
  for (std::size_t first = 0; first < x.size(); ++first) {  // in vectors and in their rests
    std::vector<float> row(19, 1);
    std::copy(x.begin() + static_cast<std::ptrdiff_t>(first), x.end(), row.end() - 9);
    Values out(type(), 19);
    set().convert(type(), row.data(), 1, out.data(), 19);
    for (std::size_t i = 0; i + first < x.size(); ++i) {
      // The processor's own rounding to bf16 takes numbers below 2^-126 for zero.
      if (type() == Type::BF16 && std::abs(x[first + i]) < 0x1p-126F) continue;
      EXPECT_EQ(double{out[10 + i]}, expected[first + i]) << x[first + i];
    }
  }
}

TEST_P(EdgeKernelsTest, QuantizedRowsAreWithinHalfAStep) {
  for (const std::int64_t dim : {1L, 15L, 16L, 17L, 100L}) {
    constexpr std::int64_t kRows = 3;
    const std::int64_t stride = dim + 5, padded = dim + 7;
    Values x(type(), kRows * stride, 1, 2);
    for (std::int64_t i = 0; i < dim; ++i) x.set(static_cast<std::size_t>(stride + i), 0);
    std::vector<std::uint8_t> bytes(static_cast<std::size_t>(kRows * padded), 7);
    std::vector<float> scales(kRows);
    set().quantize_rows({.type = type(),
                         .x = x.data(),
                         .rows = kRows,
                         .dim = dim,
                         .stride = stride,
                         .out = bytes.data(),
                         .out_stride = padded,
                         .scales = scales.data()});
    for (std::int64_t r = 0; r < kRows; ++r) {
      double top = 0;
      for (std::int64_t i = 0; i < dim; ++i)
        top = std::max(top, std::abs(double{x[static_cast<std::size_t>(r * stride + i)]}));
      const double scale = double{scales[static_cast<std::size_t>(r)]};
      EXPECT_NEAR(scale, r == 1 ? 1 : top / 127, 1e-6 * scale);
      for (std::int64_t i = 0; i < padded; ++i) {
        const int byte = bytes[static_cast<std::size_t>(r * padded + i)];
        const double value = i < dim ? double{x[static_cast<std::size_t>(r * stride + i)]} : 0;
        EXPECT_NEAR((byte - 128) * scale, value, 0.5001 * scale * (r != 1 && i < dim)) << i;
      }
    }
  }
}

TEST_P(EdgeKernelsTest, PatchesOfManySizes) {
  for (const auto& [channels, height, width, patch] : {std::tuple{3L, 32L, 48L, 16L},
                                                       {1L, 5L, 7L, 1L},
                                                       {3L, 28L, 29L, 14L},
                                                       {2L, 17L, 40L, 17L}}) {
    const std::vector<float> image = noise(channels * height * width, 1, 5);
    const std::int64_t grid_height = height / patch, grid_width = width / patch;
    const std::int64_t row = channels * patch * patch;
    Values out(type(), grid_height * grid_width * row);
    set().patchify(type(), image.data(), channels, height, width, patch, out.data());
    for (std::int64_t i = 0; i < grid_height * grid_width * row; ++i) {
      const std::int64_t p = i / row, c = i % row / (patch * patch),
                         y = i % (patch * patch) / patch, x = i % patch;
      const float pixel = image[static_cast<std::size_t>(
          (c * height + p / grid_width * patch + y) * width + p % grid_width * patch + x)];
      ASSERT_EQ(out[static_cast<std::size_t>(i)],
                type() == Type::F32 ? pixel : widened(to_bfloat16(pixel)));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(EverySet, EdgeKernelsTest, every_set_and_type(), set_and_type);

/** Gradients so small that eps decides, none at all, and a momentum of 0 and 1. */
TEST(OptimizerKernels, AtTheEndsOfTheirRange) {
  constexpr std::int64_t kCount = 21;
  for (const Kernels* set : supported_kernels()) {
    SCOPED_TRACE(set->name);
    std::vector<float> value(kCount, 2), gradient(kCount, 1e-9F), first(kCount), second(kCount);
    gradient[4] = 0;
    set->adamw({.value = value.data(),
                .gradient = gradient.data(),
                .first_moment = first.data(),
                .second_moment = second.data(),
                .lr = 0.5F,
                .bias_correction1 = 0.1F,
                .bias_correction2 = 0.001F},
               kCount);
    for (std::size_t i = 0; i < kCount; ++i)  // m / c1 = 1e-9, sqrt(v / c2) = 1e-9, eps = 1e-8
      EXPECT_NEAR(double{value[i]}, i == 4 ? 2 : 2 - 0.5 / 11, 1e-5) << i;
    const std::vector<float> student(kCount, 3);
    std::vector<float> teacher(kCount, -1);
    set->ema(teacher.data(), student.data(), 1, kCount);
    EXPECT_EQ(teacher, std::vector<float>(kCount, -1));
    set->ema(teacher.data(), student.data(), 0, kCount);
    EXPECT_EQ(teacher, student);
  }
}

}  // namespace
}  // namespace dino::cpu
