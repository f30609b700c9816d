// dino recipe, and dino train with a folder instead of a recipe, as a person who has only images
// runs them.
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>

#include "dino/image/codecs/encode.h"
#include "dino/recipe/recipe.h"
#include "tests/cli/run_dino.h"
#include "tests/train/tiny_run.h"

namespace dino::cli {
namespace {

namespace fs = std::filesystem;

class FolderCommand : public ::testing::Test {
 protected:
  FolderCommand() {
    test::write_noise_folder(temp_ / "photos/a", 40);
    test::write_noise_folder(temp_ / "photos/b", 40);
  }
  test::Ran dino(const std::string& arguments) const { return test::run_dino(temp_, arguments); }
  void expect_refusal(const std::string& arguments, int code, const char* part) const {
    const test::Ran ran = dino(arguments);
    EXPECT_EQ(ran.exit_code, code) << arguments << ": " << ran.err;
    EXPECT_NE(ran.err.find("dino: error: "), std::string::npos) << ran.err;
    EXPECT_NE(ran.err.find(part), std::string::npos) << ran.err;
  }
  std::string photos() const { return (temp_ / "photos").string(); }
  std::string run() const { return (temp_ / "run").string(); }

  test::TempDir temp_;
};

TEST_F(FolderCommand, ListsAndShowsTheRecipesOfTheProgram) {
  const test::Ran list = dino("recipe list");
  EXPECT_EQ(list.exit_code, 0) << list.err;
  for (const char* name : {"fashion_mnist ", "dino_vits16 ", "crops/dinov2 ", "bench_tiny28 "})
    EXPECT_NE(list.out.find(name), std::string::npos) << list.out;
  EXPECT_EQ(dino("recipe show vits16").out,
            read_text_file(DINO_SOURCE_DIR "/recipes/dino_vits16.toml"));
  expect_refusal("recipe show fashion", 1, "fashion_mnist");
  expect_refusal("recipe", 2, "dino recipe FOLDER");
}

TEST_F(FolderCommand, WritesARecipeThatSaysWhy) {
  const std::string file = (temp_ / "photos.toml").string();
  const test::Ran ran = dino("recipe " + photos() + " --minutes 5 --out " + file);
  ASSERT_EQ(ran.exit_code, 0) << ran.err;
  const recipe::Recipe written = recipe::load_recipe(file);
  EXPECT_EQ(written.data.train, photos());
  EXPECT_EQ(written.knn.train, photos()) << "two folders of 40 are classes";
  EXPECT_NE(read_text_file(file).find("lr = 0.001"), std::string::npos);
  EXPECT_NE(read_text_file(file).find("# Chosen by dino"), std::string::npos);
  expect_refusal("recipe " + photos() + " --out " + file, 2, "--force");
  const test::Ran changed = dino("recipe " + photos() + " --set knn.train= --json");
  EXPECT_EQ(recipe::parse_recipe(changed.json()["recipe"].get<std::string>(), "", "").knn.train,
            "");
}

TEST_F(FolderCommand, RefusesInOneLineWhatItCannotTrainOn) {
  fs::create_directories(temp_ / "empty");
  test::write_noise_folder(temp_ / "few", 7);
  const std::string out = " --out " + run();
  expect_refusal("train " + (temp_ / "empty").string() + out, 1, "empty");
  expect_refusal("train " + (temp_ / "few").string() + out, 1, "7 images; at least 50");
  expect_refusal("train /no/such/folder" + out, 1, "/no/such/folder");
  expect_refusal("train photos.toml" + out, 2, "--recipe photos.toml");
  expect_refusal("train pipe:cat" + out, 2, "stream");
  expect_refusal("train " + photos() + " --recipe smoke --minutes 3" + out, 2, "--minutes");
  expect_refusal("train --resume " + run() + " " + photos(), 2, "--resume");
  expect_refusal("train --recipe smok" + out, 1, "did you mean 'smoke'?");
  expect_refusal("train " + photos() + " --set optim.lrr=1" + out, 1, "optim.lr");
  EXPECT_FALSE(fs::exists(run()));
}

TEST_F(FolderCommand, TrainsARecipeOfTheProgramOnAFolder) {
  const test::Ran ran = dino("train " + photos() +
                             " --recipe smoke --set knn.train= --set "
                             "data.limit=64 --set train.epochs=1 --json --out " +
                             run());
  ASSERT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_EQ(ran.json()["iterations"], 2);
  EXPECT_EQ(recipe::load_recipe(fs::path(run()) / "recipe.toml").data.train, photos());
}

TEST_F(FolderCommand, ThePlanOfARecipeIsShownWithoutTraining) {
  const test::Ran plan = dino("train --plan --recipe dinov2_vitl16_short");
  ASSERT_EQ(plan.exit_code, 0) << plan.err;
  EXPECT_NE(plan.out.find("125000 steps of 2048 images"), std::string::npos) << plan.out;
  const test::Ran of_folder = dino("train " + photos() + " --plan --recipe smoke --json");
  ASSERT_EQ(of_folder.exit_code, 0) << of_folder.err;
  EXPECT_EQ(of_folder.json()["steps_per_epoch"], 2);
  expect_refusal("train --plan", 2, "--recipe");
  expect_refusal("train --plan --recipe vits16", 2, "data.epoch_images");
  EXPECT_FALSE(fs::exists(run()));
}

/** All of it in the time given, and a run that goes on from what it left. */
TEST(FolderCommandSlow, ChoosesMeasuresTrainsAndResumes) {
  const test::TempDir temp;
  test::write_noise_folder(temp / "photos/a", 40);
  test::write_noise_folder(temp / "photos/b", 40);
  const std::string run = (temp / "run").string();
  const auto start = std::chrono::steady_clock::now();
  const test::Ran ran =
      test::run_dino(temp, "train " + (temp / "photos").string() + " --minutes 0.5 --out " + run);
  const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
  ASSERT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_LT(spent.count(), 45);
  for (const char* line : {"images ", "crops ", "network ", "training ", "time "})
    EXPECT_NE(ran.err.find(line), std::string::npos) << ran.err;
  EXPECT_NE(ran.out.find("trained network"), std::string::npos) << ran.out;
  const std::string text = read_text_file(fs::path(run) / "recipe.toml");
  EXPECT_NE(text.find("# Chosen by dino"), std::string::npos);
  const test::Ran again = test::run_dino(temp, "train --resume " + run);
  EXPECT_EQ(again.exit_code, 0) << again.err;
  EXPECT_EQ(read_text_file(fs::path(run) / "recipe.toml"), text);
}

}  // namespace
}  // namespace dino::cli
