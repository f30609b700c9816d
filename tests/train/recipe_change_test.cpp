#include "dino/train/recipe_change.h"

#include <gtest/gtest.h>

#include "dino/base/error.h"

namespace dino::train {
namespace {

std::string refusal(const recipe::Recipe& after, std::string* warning = nullptr) {
  const LogSink sink = [&](LogLevel, std::string_view text) {
    if (warning != nullptr) *warning = text;
  };
  try {
    check_resumable(recipe::Recipe{}, after, sink);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(RecipeChange, EqualRecipesDoNotDiffer) {
  EXPECT_TRUE(recipe_differences({}, {}).empty());
}

TEST(RecipeChange, DifferencesNameKeyAndValues) {
  recipe::Recipe after;
  after.optim.lr = 0.25;
  after.name = "other";
  EXPECT_EQ(recipe_differences({}, after),
            (std::vector<std::string>{"name: \"dino\" -> \"other\"", "optim.lr: 0.0005 -> 0.25"}));
}

TEST(RecipeChange, AnotherArchitectureIsRefusedByName) {
  recipe::Recipe after;
  after.backbone.depth = 3;
  EXPECT_NE(refusal(after).find("backbone.depth: 0 -> 3"), std::string::npos) << refusal(after);
  after = {};
  after.head.prototypes = 5;
  EXPECT_NE(refusal(after), "");
}

TEST(RecipeChange, OtherSettingsContinueWithAWarning) {
  recipe::Recipe after;
  after.train.epochs = 300;
  std::string warning;
  EXPECT_EQ(refusal(after, &warning), "");
  EXPECT_NE(warning.find("train.epochs: 100 -> 300"), std::string::npos) << warning;
}

TEST(RecipeChange, HowARunIsCarriedOutMayChangeSilently) {
  recipe::Recipe after;
  after.data.workers = 7;
  after.train.save_minutes = 1;
  after.knn.k = 10;
  std::string warning;
  EXPECT_EQ(refusal(after, &warning), "");
  EXPECT_EQ(warning, "");
}

}  // namespace
}  // namespace dino::train
