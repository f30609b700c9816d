// A recipe names objectives; the build has a file for each.
#include <gtest/gtest.h>
#include <torch/types.h>

#include <map>

#include "dino/base/error.h"
#include "dino/objectives/registry.h"
#include "dino/recipe/recipe.h"

namespace dino::objectives {
namespace {

TEST(Registry, TheRecipeChoosesAndWeighs) {
  recipe::Recipe recipe;
  recipe.dino.weight = 0.25;
  const auto objectives = make_objectives(recipe);
  ASSERT_EQ(objectives.size(), 1U);
  EXPECT_EQ(objectives[0].objective->name(), "dino");
  EXPECT_EQ(objectives[0].weight.at(0), 0.25);
  EXPECT_EQ(objectives[0].weight.at(1'000'000), 0.25);
}

TEST(Registry, EveryObjectiveOfARecipeHasAFile) {
  for (const std::string_view name : recipe::objective_names()) {
    recipe::Recipe recipe;
    recipe.objectives = {std::string(name)};
    const auto objectives = make_objectives(recipe);
    EXPECT_EQ(objectives.at(0).objective->name(), name);
    const RunLength length{10, 100};
    for (const Metric& metric : objectives[0].objective->metrics())
      EXPECT_FALSE(metric.title.empty()) << metric.name;
    for (const auto& [curve_name, curve] : objectives[0].objective->curves(length))
      EXPECT_TRUE(std::isfinite(curve.at(0))) << curve_name;
  }
}

TEST(Registry, ANameWithoutAFileIsRefused) {
  recipe::Recipe recipe;
  recipe.objectives = {"mae"};
  try {
    make_objectives(recipe);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Config);
    EXPECT_NE(std::string(error.what()).find("mae"), std::string::npos);
  }
  EXPECT_THROW(recipe::objective_weight(recipe, "optim", {}), Error);
}

TEST(Needs, AreJoined) {
  const Needs cls{.teacher = true},
      patches{.student_tokens = model::Tokens::ClsAndPatches, .masks = true};
  for (const Needs& both : {cls | patches, patches | cls}) {
    EXPECT_TRUE(both.teacher && both.masks);
    EXPECT_EQ(both.student_tokens, model::Tokens::ClsAndPatches);
    EXPECT_EQ(both.teacher_tokens, model::Tokens::Cls);
  }
}

}  // namespace
}  // namespace dino::objectives
