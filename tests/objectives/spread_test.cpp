// What spreads features: the sum over the two global views, each on its own.
#include <gtest/gtest.h>
#include <torch/types.h>

#include "dino/loss/koleo.h"
#include "dino/objectives/registry.h"
#include "dino/recipe/recipe.h"

namespace dino::objectives {
namespace {

TEST(Spread, SumsBothViewsAndNeverComparesThem) {
  recipe::Recipe recipe;
  recipe.objectives = {"dino", "spread"};
  const auto objectives = make_objectives(recipe);
  Objective& spread = *objectives.at(1).objective;
  EXPECT_EQ(objectives[1].weight.at(0), 0.1);
  EXPECT_FALSE(spread.needs().teacher);

  Views views;
  views.images = 4;
  const auto one = (torch::arange(24, torch::kFloat32) * 2.3).cos().view({4, 6});
  // The second crop of each image gives the first one's features: as neighbors they would be at 0.
  views.student_global.cls = torch::cat({one, one});
  EXPECT_NEAR(spread.loss(views, {}).item<double>(), 2 * loss::koleo_loss(one).item<double>(),
              1e-5);
}

}  // namespace
}  // namespace dino::objectives
