// Softmax, cross-entropy, the optimizer, positions and patches against plain loops in double, as
// kernels_test.cpp.
#include <limits>

#include "tests/cpu/kernels_checks.h"

namespace dino::cpu {
namespace {

class RowKernelsTest : public KernelsTest {};

/** Logits far from zero on either side: softmax does not see it. */
TEST_P(RowKernelsTest, SoftmaxAndCrossEntropy) {
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

TEST_P(RowKernelsTest, AdamWAndEma) {
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

TEST_P(RowKernelsTest, RotateAndPatchify) {
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

INSTANTIATE_TEST_SUITE_P(EverySet, RowKernelsTest, every_set_and_type(), set_and_type);

}  // namespace
}  // namespace dino::cpu
