// Products of packed weights against plain loops in double.
#include "dino/cpu/gemm.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <tuple>
#include <vector>

#include "dino/base/bfloat16.h"
#include "dino/base/rng.h"

namespace dino::cpu {
namespace {

std::vector<float> noise(std::int64_t count, std::uint64_t seed) {
  Rng rng(seed);
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& value : values) value = static_cast<float>(rng.normal());
  return values;
}

double gelu(double x) {
  return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0)));
}
double silu(double x) {
  return x / (1 + std::exp(-x));
}

struct Product {
  std::int64_t rows, outputs, inputs;
};

/** y [rows, outputs] in double. */
std::vector<double> plain(const Product& p, const std::vector<float>& x,
                          const std::vector<float>& w, const std::vector<float>& bias) {
  std::vector<double> y;
  for (std::int64_t r = 0; r < p.rows; ++r)
    for (std::int64_t o = 0; o < p.outputs; ++o) {
      double sum = bias[static_cast<std::size_t>(o)];
      for (std::int64_t i = 0; i < p.inputs; ++i)
        sum += double{x[static_cast<std::size_t>(r * p.inputs + i)]} *
               double{w[static_cast<std::size_t>(o * p.inputs + i)]};
      y.push_back(sum);
    }
  return y;
}

double relative_error(const std::vector<float>& actual, const std::vector<double>& expected) {
  double error = 0, norm = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    error += std::pow(actual[i] - expected[i], 2);
    norm += std::pow(expected[i], 2);
  }
  return std::sqrt(error / norm);
}

class GemmTest : public testing::TestWithParam<std::tuple<GemmType, Product, const Kernels*>> {
 protected:
  GemmType type() const { return std::get<0>(GetParam()); }
  Product size() const { return std::get<1>(GetParam()); }
  /** What this type's rounding allows. */
  double tolerance() const {
    return type() == GemmType::F32 ? 1e-6 : type() == GemmType::BF16 ? 6e-3 : 1.5e-2;
  }

  /** x as the product takes it, padded rows. */
  void prepare(const PackedWeights& w, const std::vector<float>& x, Gemm& g) {
    g.weights = &w;
    g.rows = size().rows;
    g.x_stride = w.padded_inputs();
    const auto count = static_cast<std::size_t>(g.rows * g.x_stride);
    if (type() == GemmType::I8) {
      bytes_ = AlignedBytes(count);
      scales_.resize(static_cast<std::size_t>(g.rows));
      kernels().quantize_rows({.x = x.data(),
                               .rows = g.rows,
                               .dim = size().inputs,
                               .stride = size().inputs,
                               .out = bytes_.data<std::uint8_t>(),
                               .out_stride = g.x_stride,
                               .scales = scales_.data()});
      g.x = bytes_.data();
      g.x_scales = scales_.data();
      return;
    }
    bytes_ = AlignedBytes(count * 4);
    std::fill_n(bytes_.data<float>(), count, 0.0F);
    const bool pairs = type() == GemmType::BF16 && kernels().bf16_per_word == 2;
    for (std::int64_t r = 0; r < g.rows; ++r) {
      const float* row = x.data() + r * size().inputs;
      if (pairs) {
        kernels().convert(Type::BF16, row, 1, bytes_.data<bf16>() + r * g.x_stride, size().inputs);
      } else {
        std::copy_n(row, size().inputs, bytes_.data<float>() + r * g.x_stride);
      }
    }
    g.x = bytes_.data();
  }

  const KernelsForTesting set_{*std::get<2>(GetParam())};
  AlignedBytes bytes_;
  std::vector<float> scales_;
};

TEST_P(GemmTest, EveryEpilogueEqualsPlainLoops) {
  const Product p = size();
  const auto x = noise(p.rows * p.inputs, 1), w = noise(p.outputs * p.inputs, 2),
             bias = noise(p.outputs, 3), gain = noise(p.outputs, 4);
  const auto y = plain(p, x, w, bias);
  const PackedWeights packed(type(), w.data(), p.outputs, p.inputs);
  Gemm g;
  prepare(packed, x, g);
  g.bias = bias.data();
  g.out_stride = p.outputs + 3;  // rows apart
  for (const auto epilogue : {Epilogue::Store, Epilogue::Gelu, Epilogue::AddScaled}) {
    std::vector<float> out(static_cast<std::size_t>(p.rows * g.out_stride), 0.5F);
    g.epilogue = epilogue;
    g.gain = epilogue == Epilogue::AddScaled ? gain.data() : nullptr;
    g.out = out.data();
    kernels().gemm(g);
    std::vector<float> actual;
    std::vector<double> expected;
    for (std::int64_t r = 0; r < p.rows; ++r)
      for (std::int64_t o = 0; o < g.out_stride; ++o) {
        const float value = out[static_cast<std::size_t>(r * g.out_stride + o)];
        if (o >= p.outputs) {
          EXPECT_EQ(value, 0.5F) << "written past the row";
          continue;
        }
        const double sum = y[static_cast<std::size_t>(r * p.outputs + o)];
        actual.push_back(value);
        expected.push_back(epilogue == Epilogue::Store ? sum
                           : epilogue == Epilogue::Gelu
                               ? gelu(sum)
                               : 0.5 + gain[static_cast<std::size_t>(o)] * sum);
      }
    EXPECT_LT(relative_error(actual, expected), tolerance()) << static_cast<int>(epilogue);
  }
}

/** No bias, no gain, results in bf16; inputs and weights whose mean is not zero. */
TEST_P(GemmTest, WithoutItsExtrasAndRounded) {
  const Product p = size();
  auto x = noise(p.rows * p.inputs, 1), w = noise(p.outputs * p.inputs, 2);
  for (float& value : x) value += 3;
  for (float& value : w) value -= 0.5F;
  const auto y = plain(p, x, w, std::vector<float>(static_cast<std::size_t>(p.outputs), 0));
  const PackedWeights packed(type(), w.data(), p.outputs, p.inputs);
  Gemm g;
  prepare(packed, x, g);
  g.out_stride = p.outputs;
  std::vector<float> sums(y.size(), 0);
  g.epilogue = Epilogue::AddScaled;
  g.out = sums.data();
  kernels().gemm(g);
  EXPECT_LT(relative_error(sums, y), tolerance());
  std::vector<bf16> rounded(y.size() + 1, 0x1234);
  g.epilogue = Epilogue::Store;
  g.out = rounded.data();
  g.out_type = Type::BF16;
  kernels().gemm(g);
  EXPECT_EQ(rounded.back(), 0x1234) << "written past the end";
  for (std::size_t i = 0; i < y.size(); ++i)
    ASSERT_EQ(rounded[i], to_bfloat16(sums[i])) << "the same sums, rounded once";
}

TEST_P(GemmTest, GatesTheSecondHalfWithTheFirst) {
  Product p = size();
  p.outputs *= 2;
  const auto x = noise(p.rows * p.inputs, 1), w = noise(p.outputs * p.inputs, 2),
             bias = noise(p.outputs, 3);
  const auto y = plain(p, x, w, bias);
  const PackedWeights packed(type(), w.data(), p.outputs, p.inputs, /*gated=*/true);
  Gemm g;
  prepare(packed, x, g);
  const std::int64_t half = p.outputs / 2;
  std::vector<float> out(static_cast<std::size_t>(p.rows * half));
  g.bias = bias.data();
  g.epilogue = Epilogue::SwiGlu;
  g.out = out.data();
  g.out_stride = half;
  kernels().gemm(g);
  std::vector<double> expected;
  for (std::int64_t r = 0; r < p.rows; ++r)
    for (std::int64_t o = 0; o < half; ++o)
      expected.push_back(silu(y[static_cast<std::size_t>(r * p.outputs + o)]) *
                         y[static_cast<std::size_t>(r * p.outputs + half + o)]);
  EXPECT_LT(relative_error(out, expected), 1.5 * tolerance());
}

constexpr auto product_name = [](const auto& test) {
  const auto& [type, p, set] = test.param;
  return fmt::format("{}_{}x{}x{}_{}",
                     type == GemmType::F32    ? "F32"
                     : type == GemmType::BF16 ? "BF16"
                                              : "I8",
                     p.rows, p.outputs, p.inputs, set->name);
};

INSTANTIATE_TEST_SUITE_P(
    Types, GemmTest,
    testing::Combine(testing::Values(GemmType::F32, GemmType::BF16, GemmType::I8),
                     testing::Values(Product{1, 5, 4}, Product{6, 64, 32}, Product{13, 70, 52},
                                     Product{23, 200, 128}),
                     testing::ValuesIn(supported_kernels())),
    product_name);

/** What bf16 weights are rounded to is the same on every set, widened or not. */
TEST(PackedWeightsTest, Bf16WeightsAreRounded) {
  for (const Kernels* set : supported_kernels()) {
    const KernelsForTesting use(*set);
    // 1 + 2^-9 is half way between two bf16 numbers; the even one is 1.
    const std::vector<float> weight = {1.001953125F, 0, 0, 0};
    const PackedWeights packed(GemmType::BF16, weight.data(), 1, 4);
    AlignedBytes x(64 * sizeof(float));
    std::fill_n(x.data<float>(), 64, 0.0F);
    if (set->bf16_per_word == 2)
      x.data<bf16>()[0] = 0x3f80;
    else
      x.data<float>()[0] = 1;
    float y = 0;
    set->gemm({.weights = &packed,
               .rows = 1,
               .x = x.data(),
               .x_stride = packed.padded_inputs(),
               .out = &y,
               .out_stride = 1});
    EXPECT_EQ(y, 1.0F) << set->name;
  }
}

/** Whole numbers up to 127 are bytes as they are, so their products have nothing to round. */
TEST(Int8Gemm, IsExactWhereBytesAre) {
  constexpr std::int64_t kRows = 7, kOutputs = 70, kInputs = 53;
  Rng rng(1);
  const auto drawn = [&](std::int64_t rows) {
    std::vector<float> values(static_cast<std::size_t>(rows * kInputs));
    for (float& value : values) value = static_cast<float>(rng.below(255)) - 127;
    for (std::size_t row = 0; row < values.size(); row += kInputs) values[row + 5] = 127;
    return values;
  };
  const auto x = drawn(kRows), weight = drawn(kOutputs);
  const auto expected =
      plain({kRows, kOutputs, kInputs}, x, weight, std::vector<float>(kOutputs, 0));
  for (const Kernels* set : supported_kernels()) {
    const KernelsForTesting use(*set);
    const PackedWeights packed(GemmType::I8, weight.data(), kOutputs, kInputs);
    std::vector<std::uint8_t> bytes(static_cast<std::size_t>(kRows * packed.padded_inputs()));
    std::vector<float> scales(kRows), y(expected.size());
    set->quantize_rows({.x = x.data(),
                        .rows = kRows,
                        .dim = kInputs,
                        .stride = kInputs,
                        .out = bytes.data(),
                        .out_stride = packed.padded_inputs(),
                        .scales = scales.data()});
    set->gemm({.weights = &packed,
               .rows = kRows,
               .x = bytes.data(),
               .x_stride = packed.padded_inputs(),
               .x_scales = scales.data(),
               .out = y.data(),
               .out_stride = kOutputs});
    for (std::size_t i = 0; i < y.size(); ++i) ASSERT_EQ(double{y[i]}, expected[i]) << set->name;
  }
}

/** NaN or infinity in a row or a weight shows in the product, where bytes have no word for it. */
TEST(Int8Gemm, KeepsWhatIsNotFinite) {
  constexpr std::int64_t kInputs = 20;
  for (const Kernels* set : supported_kernels()) {
    const KernelsForTesting use(*set);
    for (const float bad :
         {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
          -std::numeric_limits<float>::infinity(), std::bit_cast<float>(0xffffffffU)})
      for (const bool in_weight : {false, true}) {
        std::vector<float> weight(kInputs, 0.5F), x(kInputs, 1);
        (in_weight ? weight : x)[7] = bad;
        const PackedWeights packed(GemmType::I8, weight.data(), 1, kInputs);
        std::vector<std::uint8_t> bytes(static_cast<std::size_t>(packed.padded_inputs()));
        float scale = 0, y = 0;
        set->quantize_rows({.x = x.data(),
                            .rows = 1,
                            .dim = kInputs,
                            .stride = kInputs,
                            .out = bytes.data(),
                            .out_stride = packed.padded_inputs(),
                            .scales = &scale});
        set->gemm({.weights = &packed,
                   .rows = 1,
                   .x = bytes.data(),
                   .x_stride = packed.padded_inputs(),
                   .x_scales = &scale,
                   .out = &y,
                   .out_stride = 1});
        EXPECT_FALSE(std::isfinite(y))
            << set->name << ": " << bad << " in " << (in_weight ? "the weight" : "x");
      }
  }
}

}  // namespace
}  // namespace dino::cpu
