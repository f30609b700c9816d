// The curves of the built-in recipes against values of the references' code.
#include "dino/recipe/curves.h"

#include <gtest/gtest.h>

#include <cmath>

namespace dino::recipe {
namespace {

RunLength length_of(const Recipe& recipe) {
  return {recipe.train.epochs, recipe.data.epoch_images / recipe.train.batch_size};
}

double at(const Recipe& recipe, const char* curve, std::int64_t iteration) {
  return optimizer_curves(recipe, length_of(recipe)).at(curve).at(iteration);
}

void expect(const Recipe& recipe, const char* curve, std::int64_t iteration, double value) {
  EXPECT_NEAR(at(recipe, curve, iteration), value, 1e-9 * value + 1e-15) << curve << iteration;
}

TEST(Curves, OfDino) {
  Recipe r = load_recipe("dino_vits16");
  r.data.epoch_images = 2502 * 512;
  EXPECT_EQ(at(r, "lr", 0), 0);
  expect(r, "lr", 25019, 1e-3);
  expect(r, "lr", 25020, 1e-3);
  expect(r, "lr", 125100, 5.872372643e-4);
}

TEST(Curves, OfTheShortDinoV2) {
  const Recipe r = load_recipe("dinov2_vitl16_short");
  EXPECT_EQ(length_of(r).total(), 125'000);
  EXPECT_EQ(at(r, "lr", 0), 0);
  expect(r, "lr", 1, 4.5258454672e-7);
  expect(r, "lr", 6250, 2.8286534170e-3);
  expect(r, "lr", 12499, 5.6568542495e-3);
  expect(r, "lr", 12500, 5.6568542495e-3);
  expect(r, "lr", 12501, 5.6568542484e-3);
  expect(r, "lr", 62500, 3.3199915165e-3);
  expect(r, "lr", 124999, 1.0000011026e-6);
  expect(r, "weight_decay", 0, 0.04);
  expect(r, "weight_decay", 62500, 0.22);
  expect(r, "weight_decay", 124999, 0.39999999994);
  expect(r, "momentum", 0, 0.992);
  expect(r, "momentum", 62500, 0.996);
}

TEST(Curves, OfTheLongDinoV2) {
  for (const char* name : {"dinov2_vitl14", "dinov2_vitg14"}) {
    const Recipe r = load_recipe(name);
    EXPECT_EQ(length_of(r).total(), 625'000);
    expect(r, "lr", 99999, 3.4641016151e-4);
    expect(r, "lr", 100000, 3.4641016151e-4);
    expect(r, "lr", 362500, 1.7370508076e-4);
    expect(r, "lr", 624999, 1.0000000031e-6);
  }
}

TEST(Curves, OfDinoV3) {
  const Recipe large = load_recipe("dinov3_vitl16");
  EXPECT_EQ(length_of(large).total(), 125'000);
  expect(large, "lr", 12499, 5.6568542495e-3);
  expect(large, "lr", 62500, 3.3199915165e-3);
  const Recipe pretrain = load_recipe("dinov3_vit7b16");
  EXPECT_EQ(length_of(pretrain).total(), 1'000'000);
  expect(pretrain, "lr", 1, 4e-9);
  expect(pretrain, "lr", 50'000, 2e-4);
  expect(pretrain, "lr", 99'999, 3.99996e-4);
  expect(pretrain, "lr", 100'000, 4e-4);
  expect(pretrain, "lr", 999'999, 4e-4);
  const Recipe gram = load_recipe("dinov3_gram");
  EXPECT_EQ(length_of(gram).total(), 1'200'000);
  expect(gram, "lr", 1'100'000, 2.4e-4);
  const Recipe highres = load_recipe("dinov3_highres");
  EXPECT_EQ(length_of(highres).total(), 30'000);
  const double scale = std::sqrt(2048 / 64.0);
  EXPECT_NEAR(at(highres, "lr", 1), scale * 3.0849e-13, 1e-15);
  EXPECT_NEAR(at(highres, "lr", 5000), scale * 6.25098e-6, 1e-10);
  expect(highres, "lr", 9999, scale * 1.25e-5);
  expect(highres, "lr", 29'999, scale * 1.25e-5);
  for (const Recipe& r : {pretrain, gram, highres})
    for (const std::int64_t i : {0, 20'000}) {
      EXPECT_EQ(at(r, "weight_decay", i), 0.04);
      EXPECT_EQ(at(r, "momentum", i), r.optim.ema_momentum);
    }
}

// DINOv3's Gram stage: from step 1,000,000 along half a cosine of 1,000 steps to 2.
TEST(Curves, OfTheWeightOfGram) {
  const Recipe r = parse_recipe(
      "objectives = ['dino', 'gram']\n[gram]\nweight = 2\nstart_epochs = 1000\nramp_epochs = 1\n"
      "[train]\nepochs = 1200",
      "test", ".");
  const Curve weight = objective_weight(r, "gram", {1200, 1000});
  EXPECT_EQ(weight.at(0), 0);
  EXPECT_EQ(weight.at(1'000'000), 0);
  EXPECT_NEAR(weight.at(1'000'500), 1.001572, 1e-6);
  EXPECT_EQ(weight.at(1'000'999), 2);
  EXPECT_EQ(weight.at(1'100'000), 2);
}

}  // namespace
}  // namespace dino::recipe
