// The choice over a table of facts far wider than what people have: always a valid recipe, never a
// smaller network for more time, and epochs that fill the time.
#include "dino/recipe/choose.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>

#include "dino/recipe/choice_text.h"
#include "dino/recipe/fit_to_time.h"

namespace dino::recipe {
namespace {

ImageFacts facts_of(std::int64_t images, int width, int height, int channels) {
  ImageFacts facts{.source = "/data/\"photos\" # 1", .images = images};
  facts.looked_at = std::min<std::int64_t>(images, 200);
  facts.width = width;
  facts.height = height;
  facts.channels = channels;
  facts.full_range = channels != 1 && channels != 3;
  facts.mean.assign(static_cast<std::size_t>(channels), 0.5);
  facts.std.assign(static_cast<std::size_t>(channels), 0.25);
  return facts;
}

std::vector<ImageFacts> many_facts() {
  std::vector<ImageFacts> all;
  for (const std::int64_t images : {50LL, 500LL, 10'000LL, 10'000'000LL})
    for (const int side : {1, 16, 17, 28, 36, 37, 63, 100, 300, 20'000})
      for (const int channels : {1, 3, 4, 13}) {
        ImageFacts facts = facts_of(images, side, side * 3 / 2, channels);
        all.push_back(facts);
        facts.full_range = facts.transparent = facts.plain_ground = facts.mostly_jpeg = true;
        facts.bad_share = 0.4;
        facts.classes = 7;
        facts.labeled = images;
        facts.smallest_class = std::max<std::int64_t>(5, images / 10);
        std::swap(facts.width, facts.height);
        all.push_back(facts);
      }
  return all;
}

std::string name_of(const ImageFacts& f) {
  return fmt::format("{} images of {} x {} px, {} channels, {} classes", f.images, f.width,
                     f.height, f.channels, f.classes);
}

const double kMinutes[] = {0.1, 30, 1440, 100'000};
const Budget kMachines[] = {
    {.threads = 1, .gflops = 5}, {.threads = 2, .gflops = 100}, {.threads = 128, .gflops = 4000}};

TEST(ChooseRecipe, IsValidAndFillsTheTimeWhateverTheFacts) {
  for (const ImageFacts& facts : many_facts())
    for (Budget budget : kMachines)
      for (const double minutes : kMinutes) {
        SCOPED_TRACE(
            fmt::format("{}, {} min on {} threads", name_of(facts), minutes, budget.threads));
        budget.minutes = minutes;
        Choice choice = choose_recipe(facts, budget);
        Recipe& r = choice.recipe;
        const double step = step_gflop(r) / budget.gflops;
        const Speed speed{.step = step, .load = step / 5};
        const TimePlan plan = fit_to_time(facts.images, speed, 60 * minutes, r);
        ASSERT_NO_THROW(validate(r));
        EXPECT_LE(r.train.batch_size, facts.images);
        EXPECT_LE(r.crops.global_size, std::max(16, facts.short_side() + 2));
        EXPECT_GT(step, 0);
        const double seconds =
            std::ceil(steps_of(facts.images, r)) * r.train.batch_size * (speed.step + speed.load);
        const double one = r.train.batch_size * (speed.step + speed.load);
        EXPECT_LE(seconds, plan.training + one);
        if (r.train.epochs < 1e6) {
          EXPECT_GE(seconds, 0.9 * plan.training - one);
        }
        if (plan.training > one) {
          EXPECT_LE(plan.training + plan.evaluation, 60 * minutes);
        }
        EXPECT_GT(r.train.max_minutes, 0);
      }
}

/** What is written can be read, and says the same. */
TEST(ChooseRecipe, IsWrittenWithItsReasons) {
  for (const ImageFacts& facts : many_facts()) {
    Choice choice = choose_recipe(facts, {});
    const Speed speed{.step = 0.01, .load = 0.002};
    const TimePlan plan = fit_to_time(facts.images, speed, 1800, choice.recipe);
    const auto lines = describe_choice(
        facts, choice.recipe, {.minutes = 30, .speed = speed, .plan = plan, .source = "test"});
    EXPECT_EQ(parse_recipe(commented_toml(choice, lines), "chosen", ""), choice.recipe);
  }
}

TEST(ChooseRecipe, MoreMinutesNeverGiveASmallerNetworkOrLessComputing) {
  for (const ImageFacts& facts : many_facts())
    for (Budget budget : kMachines) {
      SCOPED_TRACE(fmt::format("{} on {} threads", name_of(facts), budget.threads));
      double network = 0, computed = 0;
      for (double minutes = 1; minutes < 1e5; minutes *= 1.7) {
        budget.minutes = minutes;
        Recipe r = choose_recipe(facts, budget).recipe;
        const double each = step_gflop(r);
        EXPECT_GE(each, network) << minutes;
        network = each;
        fit_to_time(facts.images, {.step = each / budget.gflops, .load = 0}, 60 * minutes, r);
        const double work = steps_of(facts.images, r) * r.train.batch_size * each;
        EXPECT_GE(work, 0.95 * computed) << minutes;
        computed = work;
      }
    }
}

TEST(ChooseRecipe, LabelsAreNeededForFiguresOnly) {
  ImageFacts facts = facts_of(2000, 300, 200, 3);
  const Recipe without = choose_recipe(facts, {}).recipe;
  EXPECT_EQ(without.knn.train, "");
  facts.classes = 2;
  facts.labeled = 2000;
  facts.smallest_class = 10;
  Recipe with = choose_recipe(facts, {}).recipe;
  EXPECT_EQ(with.knn.train, facts.source);
  EXPECT_LE(with.knn.k, 10);
  with.knn = without.knn;
  EXPECT_EQ(with, without);
}

TEST(ChooseRecipe, ObeysWhatTheImagesAre) {
  ImageFacts facts = facts_of(2000, 300, 200, 1);
  EXPECT_EQ(choose_recipe(facts, {}).recipe.data.channels, 1);
  EXPECT_EQ(choose_recipe(facts, {}).recipe.crops.brightness, 0.4) << "0.8 collapses on some sets";
  facts.transparent = true;
  EXPECT_EQ(choose_recipe(facts, {}).recipe.data.background, (std::vector<int>{255, 255, 255}));
  EXPECT_EQ(choose_recipe(facts, {}).recipe.crops.global_size, 128) << "details of a surface";
  facts.plain_ground = true;
  const Recipe objects = choose_recipe(facts, {}).recipe;
  EXPECT_EQ(objects.crops.global_size, 64);
  facts.mostly_jpeg = true;
  EXPECT_TRUE(choose_recipe(facts, {}).recipe.data.shrink_jpeg);
  facts.bad_share = 0.2;
  EXPECT_GT(choose_recipe(facts, {}).recipe.data.max_bad_share, 0.2);
  const Recipe bands = choose_recipe(facts_of(2000, 64, 64, 13), {}).recipe;
  EXPECT_TRUE(bands.data.full_range);
  EXPECT_EQ(bands.crops.mean.size(), 13u);
  EXPECT_EQ(bands.crops.solarize, (std::array<double, 3>{0, 0, 0}));
}

/** The demo's step, counted by hand: 17 and 5 tokens, 4 blocks of width 128, K = 512. */
TEST(ChooseRecipe, CountsTheOperationsOfAStep) {
  const Recipe demo = load_recipe("fashion_mnist");
  const double tokens = 2 * 17 + 3 * (2 * 17 + 4 * 5);
  const double blocks = tokens * 2 * 4 * 12 * 128 * 128 / 1e9;
  EXPECT_GT(step_gflop(demo), blocks);
  EXPECT_LT(step_gflop(demo), 1.15 * blocks);
}

TEST(FitToTime, NamesWhatWasMeasuredInTheText) {
  const ImageFacts facts = facts_of(2000, 640, 480, 3);
  Choice choice = choose_recipe(facts, {});
  const Speed speed{.step = 0.01, .load = 0.002};
  const TimePlan plan = fit_to_time(facts.images, speed, 1800, choice.recipe);
  const auto lines =
      describe_choice(facts, choice.recipe,
                      {.minutes = 30, .speed = speed, .plan = plan, .source = "bf16, measured"});
  EXPECT_NE(lines[0].find("2000 of about 640 x 480 px, color"), std::string::npos) << lines[0];
  EXPECT_NE(lines[4].find("30 min"), std::string::npos) << lines[4];
  EXPECT_NE(lines[4].find("bf16, measured"), std::string::npos) << lines[4];
}

}  // namespace
}  // namespace dino::recipe
