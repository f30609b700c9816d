// Recipes that are part of the program: each equals its file, and is found by name, also by
// `extends` from a file elsewhere.
#include "dino/recipe/built_in.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "dino/base/error.h"
#include "dino/base/file.h"
#include "dino/recipe/recipe.h"
#include "tests/temp_dir.h"

namespace dino::recipe {
namespace {

namespace fs = std::filesystem;
const fs::path kRecipes = fs::path(DINO_SOURCE_DIR) / "recipes";

std::string refusal(const fs::path& name) {
  try {
    load_recipe(name);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(BuiltIn, EachIsItsFileAndLoadsAlike) {
  std::size_t files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(kRecipes))
    files += entry.path().extension() == ".toml";
  EXPECT_EQ(built_ins().size(), files);
  for (const BuiltIn& recipe : built_ins()) {
    SCOPED_TRACE(recipe.name);
    const fs::path file = kRecipes / (std::string(recipe.name) + ".toml");
    EXPECT_EQ(recipe.toml, read_text_file(file));
    EXPECT_EQ(load_recipe(recipe.name), load_recipe(file));
    EXPECT_FALSE(load_recipe(recipe.name).description.empty());
  }
}

TEST(BuiltIn, NamesMayBeShortOrHaveTheExtension) {
  EXPECT_EQ(find_built_in("vits16").name, "dino_vits16");
  EXPECT_EQ(find_built_in("dino_vits16.toml").name, "dino_vits16");
  EXPECT_EQ(find_built_in("crops/dinov2").name, "crops/dinov2");
  EXPECT_TRUE(find_built_in("").toml.empty());
  EXPECT_TRUE(find_built_in("dinov2").toml.empty());
}

TEST(BuiltIn, AFileExtendsWhatLiesBesideItElseABuiltInRecipe) {
  const test::TempDir temp;
  write_file_atomically(temp / "mine.toml", "extends = \"fashion_mnist.toml\"\nname = \"mine\"\n");
  write_file_atomically(temp / "gram.toml", "extends = \"crops/dinov3_gram\"\n");
  EXPECT_EQ(load_recipe(temp / "mine.toml").backbone.patch_size, 7);
  EXPECT_EQ(load_recipe(temp / "mine.toml").name, "mine");
  EXPECT_EQ(load_recipe(temp / "gram.toml").crops.gram_size, 512);
  write_file_atomically(temp / "fashion_mnist.toml", "[backbone]\npatch_size = 8\n");
  EXPECT_EQ(load_recipe(temp / "mine.toml").backbone.patch_size, 8);
}

TEST(BuiltIn, AFileThatExistsIsMeantByAPathButNotByABareName) {
  const test::TempDir temp;
  const fs::path before = fs::current_path();
  fs::current_path(temp.path());
  write_file_atomically("smoke", "name = \"a file\"\n");
  write_file_atomically("smoke.toml", "name = \"a file\"\n");
  write_file_atomically("plain", "name = \"a file\"\n");
  EXPECT_EQ(load_recipe("smoke").name, "smoke");
  EXPECT_EQ(load_recipe("smoke.toml").name, "a file");
  EXPECT_EQ(load_recipe("./smoke").name, "a file");
  EXPECT_EQ(load_recipe("plain").name, "a file");
  fs::current_path(before);
}

TEST(BuiltIn, AnUnknownNameListsAllAndTheNearest) {
  const std::string text = refusal("fashion_mnst");
  EXPECT_NE(text.find("did you mean 'fashion_mnist'?"), std::string::npos) << text;
  for (const BuiltIn& recipe : built_ins())
    EXPECT_NE(text.find(recipe.name), std::string::npos) << text;
  EXPECT_NE(refusal("/no/such.toml").find("/no/such.toml"), std::string::npos);
}

}  // namespace
}  // namespace dino::recipe
