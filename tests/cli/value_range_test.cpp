// Which values are black and white, as a person finds it out and says it.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <limits>

#include "dino/format/npy.h"
#include "tests/cli/run_dino.h"
#include "tests/train/tiny_run.h"

namespace dino::cli {
namespace {

class ValueRange : public ::testing::Test {
 protected:
  test::Ran dino(const std::string& arguments) const { return test::run_dino(temp_, arguments); }
  std::string path(const char* name) const { return (temp_ / name).string(); }

  /** 32 gray images of noise, 16 x 16 px, from 0 to `white`. */
  template <typename Item>
  std::string write(const char* name, format::DType dtype, double white, double first = 0) const {
    std::vector<Item> items;
    for (int i = 0; i < 32; ++i)
      for (const std::uint8_t level : test::noise_image(i, 16).pixels)
        items.push_back(static_cast<Item>(level * white / 255));
    items[0] = static_cast<Item>(first);
    const std::vector<std::int64_t> shape = {32, 16, 16};
    format::write_npy(temp_ / name, {"", dtype, shape, std::as_bytes(std::span(items))});
    return path(name);
  }

  static void says(const std::string& text, const std::string& part) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
  }

  test::TempDir temp_;
};

TEST_F(ValueRange, IsFoundOutByInspect) {
  const auto mean = [&](const std::string& file, const std::string& more = "") {
    const auto ran = dino("inspect data " + file + " --stats --json " + more);
    EXPECT_EQ(ran.exit_code, 0) << ran.err;
    return ran.json()["statistics"][0]["mean"][0].get<double>();
  };
  const double plain = mean(write<float>("unit.npy", format::DType::F32, 1));
  EXPECT_NEAR(plain, 0.5, 0.02);
  for (const double odd : {1.002, 200.0, -7.0})
    EXPECT_NEAR(mean(write<float>("odd.npy", format::DType::F32, 1, odd)), plain, 0.03) << odd;
  const std::string deep = write<std::uint16_t>("deep.npy", format::DType::U16, 4095);
  EXPECT_NEAR(mean(deep), plain / 16, 0.002);
  EXPECT_NEAR(mean(deep, "--value-range 0 4095"), plain, 0.002);
  const auto found = dino("inspect data --json " + deep).json();
  EXPECT_EQ(found["values"][0]["type"], "uint16");
  EXPECT_EQ(found["values"][0]["range"], (nlohmann::json{0.0, 65535.0}));
  EXPECT_EQ(found["values"][0]["found"], (nlohmann::json{0.0, 4095.0}));
  says(found["advice"][0], "data.value_range = [0, 4095]");
  const std::string text = dino("inspect data " + deep).out;
  says(text, "uint16 (32): 0 is black, 65535 white; found 0 to 4095, 0.00 % clipped, 0 no data");
  says(text, "--value-range 0 4095");
  says(dino("inspect data --value-range 0 4095 " + deep).out, "4095 white (given)");
  const std::string gaps =
      write<float>("gaps.npy", format::DType::F32, 1, std::numeric_limits<double>::quiet_NaN());
  says(dino("inspect data " + gaps).out, "1 samples (0.01 %), in 1 of the images, are no data");
  for (const char* wrong : {"5 5", "9 1", "1", "nan 1", "0 x"})
    EXPECT_EQ(dino("inspect data " + deep + " --value-range " + wrong).exit_code, 2) << wrong;
}

TEST_F(ValueRange, OfARecipeIsKeptByItsWeightsAndStores) {
  const std::string deep = write<std::uint16_t>("deep.npy", format::DType::U16, 4095);
  const std::string floats = write<float>("floats.npy", format::DType::F32, 4095);
  recipe::Recipe recipe = test::tiny_recipe(deep);
  recipe.train.epochs = 1;
  write_file_atomically(temp_ / "tiny.toml", recipe::to_toml(recipe));
  const std::string train = "train --recipe " + path("tiny.toml");
  const auto warned = dino(train + " --out " + path("dark"));
  ASSERT_EQ(warned.exit_code, 0) << warned.err;
  says(warned.err, "data.value_range = [0, 4095]");
  const auto ran = dino(train + " --set data.value_range=[0,4095] --out " + path("run"));
  ASSERT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_EQ(ran.err.find("value_range"), std::string::npos) << ran.err;

  const std::string embed = "embed --json --weights " + path("run");
  const auto stored = [&](const std::string& images, const char* out, const std::string& more) {
    const auto made = dino(embed + " --images " + images + " --out " + path(out) + more);
    EXPECT_EQ(made.exit_code, 0) << made.err;
    return read_text_file(temp_ / out / "cls-00000.npy");
  };
  // The weights say what 4095 means, also of floats; a flag says otherwise.
  const std::string features = stored(deep, "a", "");
  EXPECT_NE(features, stored(deep, "c", " --value-range 0 65535"));
  const std::string unit = write<float>("unit.npy", format::DType::F32, 1);
  const auto dark = dino(embed + " --images " + unit + " --out " + path("d"));
  says(dark.err, "data.value_range = [0, 1]");
  stored(floats, "b", "");
  EXPECT_EQ(dino("inspect --json " + path("a")).json()["network"]["preprocess"]["value_range"],
            (nlohmann::json{0.0, 4095.0}));
  const auto mixed =
      dino(embed + " --images " + deep + " --out " + path("a") + " --value-range 0 65535");
  EXPECT_EQ(mixed.exit_code, 2);
  says(mixed.err, "value_range");

  // A store of a version that did not know the range goes on.
  const std::string old =
      "embed --json --weights " + path("dark") + " --images " + deep + " --out " + path("old");
  EXPECT_EQ(dino(old).exit_code, 0);
  auto description = nlohmann::json::parse(read_text_file(temp_ / "old/store.json"));
  EXPECT_EQ(description["network"]["preprocess"].erase("value_range"), 1U);
  write_file_atomically(temp_ / "old/store.json", description.dump());
  const auto again = dino(old);
  EXPECT_EQ(again.exit_code, 0) << again.err;
}

TEST_F(ValueRange, IsPartOfWhatAPackIs) {
  const std::string deep = write<std::uint16_t>("deep.npy", format::DType::U16, 4095);
  const std::string pack = "data pack --raw --size 0 --channels 1 " + deep + " " + path("pack");
  const auto dark = dino(pack);
  EXPECT_EQ(dark.exit_code, 0) << dark.err;
  says(dark.err, "data.value_range = [0, 4095]");
  const auto refused = dino(pack + " --value-range 0 4095");
  EXPECT_EQ(refused.exit_code, 2);
  says(refused.err, "value_range is null there");
  const auto made = dino(pack + "2 --value-range 0 4095 --json");
  ASSERT_EQ(made.exit_code, 0) << made.err;
  const auto stats =
      dino("inspect data --stats --json '" + made.json()["pack"].get<std::string>() + "'");
  EXPECT_NEAR(stats.json()["statistics"][0]["mean"][0].get<double>(), 0.5, 0.02);
}

}  // namespace
}  // namespace dino::cli
