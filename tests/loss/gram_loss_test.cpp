#include "dino/loss/gram_loss.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include "dino/base/error.h"
#include "tests/golden/synthetic_weights.h"

namespace {

using dino::loss::gram_loss;
using dino::loss::GramOptions;
using dino::loss::to_grid;

torch::Tensor rows(std::vector<double> values) {
  return torch::tensor(values, torch::kFloat32).view({1, -1, 2});
}

// Computed by hand: the normalized teacher has one pair of rows at cosine -0.7071 and one at 0.
TEST(GramLoss, SmallMatrices) {
  const auto student = rows({1, 0, 0, 2, 1, 1}), teacher = rows({1, 0, -1, 1, 1, 1});
  EXPECT_NEAR(gram_loss(student, teacher, {}).item<double>(), 2.0 / 9, 1e-6);
  EXPECT_NEAR(gram_loss(student, teacher, {.remove_negatives = true}).item<double>(), 1.0 / 9,
              1e-6);
  EXPECT_NEAR(gram_loss(student, teacher, {.remove_teacher_negatives = true}).item<double>(),
              1.0 / 9, 1e-6);
}

/** As the paper writes it, by Torch's operations and their gradient. */
torch::Tensor plain(torch::Tensor x, torch::Tensor y, const GramOptions& o) {
  if (o.normalize)
    x = x / x.norm(2, {-1}, /*keepdim=*/true), y = y / y.norm(2, {-1}, /*keepdim=*/true);
  if (!o.per_image) x = x.reshape({1, -1, x.size(2)}), y = y.reshape({1, -1, y.size(2)});
  torch::Tensor g = x.matmul(x.transpose(1, 2)), f = y.matmul(y.transpose(1, 2));
  if (o.remove_negatives) g = g.relu();
  if (o.remove_negatives || o.remove_teacher_negatives) f = f.relu();
  return (g - f).square().mean();
}

TEST(GramLoss, EqualsThePlainReadingWithItsGradient) {
  const auto student = dino::golden::image("student", {3, 10, 6}).to(torch::kFloat64) + 0.3;
  const auto teacher = dino::golden::image("teacher", {3, 10, 6}).to(torch::kFloat64) - 0.2;
  for (const bool normalize : {true, false})
    for (const bool per_image : {true, false})
      for (const int negatives : {0, 1, 2}) {
        SCOPED_TRACE(testing::Message() << normalize << per_image << negatives);
        const GramOptions options{.normalize = normalize,
                                  .per_image = per_image,
                                  .remove_negatives = negatives == 1,
                                  .remove_teacher_negatives = negatives == 2};
        const auto found = student.to(torch::kFloat32).requires_grad_();
        const auto exact = student.clone().requires_grad_();
        const auto loss = gram_loss(found, teacher.to(torch::kFloat32), options);
        const auto expected = plain(exact, teacher, options);
        (loss * 3).backward();
        (expected * 3).backward();
        EXPECT_NEAR(loss.item<double>() / expected.item<double>(), 1, 1e-5);
        EXPECT_LE((found.grad() - exact.grad()).norm().item<double>(),
                  1e-5 * exact.grad().norm().item<double>());
      }
}

TEST(GramLoss, LooksAtSimilaritiesOnly) {
  const auto x = dino::golden::image("x", {2, 9, 4}), y = dino::golden::image("y", {2, 9, 4});
  EXPECT_NEAR(gram_loss(x, x * 3, {}).item<double>(), 0, 1e-9);
  const auto rotation = std::get<0>(torch::linalg_qr(dino::golden::image("q", {4, 4})));
  EXPECT_NEAR(gram_loss(x, x.matmul(rotation), {}).item<double>(), 0, 1e-9);
  EXPECT_NEAR(gram_loss(x * 5, y, {}).item<double>(), gram_loss(x, y, {}).item<double>(), 1e-6);
  const double of_batch = gram_loss(x, y, {.per_image = false}).item<double>();
  EXPECT_GT(std::abs(of_batch - gram_loss(x, y, {}).item<double>()), 1e-4);
  // Another width does not matter: similarities have none.
  const auto wider = torch::cat({y, torch::zeros({2, 9, 3})}, 2);
  EXPECT_NEAR(gram_loss(x, wider, {}).item<double>(), gram_loss(x, y, {}).item<double>(), 1e-7);
}

TEST(GramLoss, AFinerGridIsResampledFirst) {
  const auto fine = dino::golden::image("fine", {2, 36, 4});
  EXPECT_TRUE(torch::equal(to_grid(fine, 36), fine));
  const auto coarse = to_grid(fine, 9);
  EXPECT_EQ(coarse.sizes(), (std::vector<std::int64_t>{2, 9, 4}));
  const auto ramp = torch::arange(6, torch::kFloat32).repeat_interleave(6).view({1, 36, 1});
  const auto halved = to_grid(ramp, 9).view({3, 3});
  EXPECT_NEAR(halved[1][1].item<double>(), 2.5, 1e-5);  // rows stay rows
  EXPECT_NEAR(halved[1][0].item<double>(), 2.5, 1e-5);
  EXPECT_THROW(to_grid(fine, 10), dino::Error);
  EXPECT_THROW(gram_loss(fine, coarse, {}), dino::Error);
}

}  // namespace
