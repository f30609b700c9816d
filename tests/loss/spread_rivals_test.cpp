// KoLeo's rivals: against plain readings in float64, and what must hold for any features.
#include <ATen/CPUGeneratorImpl.h>
#include <gtest/gtest.h>
#include <torch/types.h>

#include <complex>
#include <numbers>

#include "dino/loss/coding_rate.h"
#include "dino/loss/sigreg.h"

namespace {

using dino::loss::coding_rate_loss;
using dino::loss::sigreg_loss;

torch::Tensor features(std::int64_t rows, std::int64_t dim) {
  return ((torch::arange(rows * dim, torch::kFloat32) * 2.3).cos() * 1.4 + 0.2).view({rows, dim});
}

torch::Generator draws(std::uint64_t seed) {
  return at::make_generator<at::CPUGeneratorImpl>(seed);
}

/** With one feature there is one direction, up to its sign: no randomness. */
TEST(Sigreg, EqualsThePlainReadingInOneDimension) {
  const auto x = features(5, 1);
  double integral = 0;
  for (int k = 0; k < 17; ++k) {
    const double t = -5 + 10.0 * k / 16, normal = std::exp(-t * t / 2);
    std::complex<double> mean = 0;
    for (int i = 0; i < 5; ++i)
      mean += std::exp(std::complex<double>(0, t * x[i][0].item<double>())) / 5.0;
    integral += std::norm(mean - normal) * normal * (10.0 / 16) * (k == 0 || k == 16 ? 0.5 : 1.0);
  }
  EXPECT_NEAR(sigreg_loss(x, draws(1)).item<double>(), 5 * integral, 1e-5);
}

TEST(Sigreg, IsSmallestForAStandardNormal) {
  const auto normal = torch::randn({512, 8}, draws(3));
  const double at_best = sigreg_loss(normal, draws(1)).item<double>();
  for (const auto& other : {normal * 2, normal * 0.3, normal + 1, torch::zeros({512, 8}),
                            normal.narrow(1, 0, 1).expand({512, 8}).contiguous()})
    EXPECT_GT(sigreg_loss(other, draws(1)).item<double>(), 3 * at_best);
  EXPECT_TRUE(torch::equal(sigreg_loss(normal, draws(7)), sigreg_loss(normal, draws(7))));
  EXPECT_FALSE(torch::equal(sigreg_loss(normal, draws(7)), sigreg_loss(normal, draws(8))));
}

TEST(Sigreg, DescendsAndIsFiniteForEqualFeatures) {
  auto x = torch::ones({6, 4}).requires_grad_();
  const auto loss = sigreg_loss(x, draws(1));
  loss.backward();
  EXPECT_TRUE(x.grad().isfinite().all().item<bool>());
  const auto lower = sigreg_loss(x.detach() - x.grad() * 1e-3, draws(1));
  EXPECT_LT(lower.item<double>(), loss.item<double>());
}

TEST(CodingRate, EqualsTheDeterminant) {
  for (const auto& [rows, dim] : {std::pair{3, 7}, {7, 3}, {5, 5}, {1, 4}}) {
    SCOPED_TRACE(testing::Message() << rows << " x " << dim);
    const auto leaf = features(rows, dim).requires_grad_();
    const auto exact = features(rows, dim).to(torch::kFloat64).requires_grad_();
    const auto z = exact / exact.norm(2, {1}, /*keepdim=*/true);
    const auto expected =
        -0.5 * (torch::eye(dim, torch::kFloat64) + z.t().mm(z) * (dim / (rows * 0.5))).logdet();
    const auto loss = coding_rate_loss(leaf);
    loss.backward();
    expected.backward();
    EXPECT_NEAR(loss.item<double>(), expected.item<double>(), 1e-5);
    EXPECT_TRUE(torch::allclose(leaf.grad().to(torch::kFloat64), exact.grad(), 1e-3, 1e-5));
  }
}

TEST(CodingRate, PrefersFeaturesThatDiffer) {
  const auto equal = torch::ones({4, 6}).requires_grad_();
  const auto loss = coding_rate_loss(equal);
  loss.backward();
  EXPECT_TRUE(equal.grad().isfinite().all().item<bool>());
  EXPECT_LT(coding_rate_loss(torch::eye(6).narrow(0, 0, 4)).item<double>(), loss.item<double>());
  EXPECT_NEAR(coding_rate_loss(features(4, 6) * 9).item<double>(),
              coding_rate_loss(features(4, 6)).item<double>(), 1e-5);
}

}  // namespace
