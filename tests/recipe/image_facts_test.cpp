// What is found of folders made here: kinds of images, classes, and the reasons of refusals.
#include "dino/recipe/image_facts.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>
#include <span>

#include "dino/base/error.h"
#include "dino/format/npy.h"
#include "dino/image/codecs/encode.h"
#include "tests/temp_dir.h"

namespace dino::recipe {
namespace {

namespace fs = std::filesystem;
using Pixel = std::function<std::uint8_t(int x, int y, int c)>;

class ImageFactsTest : public ::testing::Test {
 protected:
  void add(const std::string& name, int width, int height, int channels, const Pixel& pixel) const {
    image::Image image(width, height, channels);
    for (int y = 0; y < height; ++y)
      for (int x = 0; x < width; ++x)
        for (int c = 0; c < channels; ++c) image.row(y)[x * channels + c] = pixel(x, y, c);
    fs::create_directories((temp_ / name).parent_path());
    // Not write_png, which waits for the disk.
    const std::vector<std::byte> png = image::encode_png(image);
    std::ofstream(temp_ / name, std::ios::binary)
        .write(reinterpret_cast<const char*>(png.data()), static_cast<std::streamsize>(png.size()));
  }
  void add_many(const std::string& folder, int count, int width, int height, int channels,
                const Pixel& pixel) const {
    for (int i = 0; i < count; ++i)
      add(fmt::format("{}/{}.png", folder, i), width, height, channels, pixel);
  }
  ImageFacts facts(const std::string& folder, int channels = 0) const {
    ThreadPool pool(1);
    const std::string source = (temp_ / folder).string();
    return survey_images(source, *data::open_dataset(source, channels), pool);
  }
  std::string refusal(const std::string& folder) const {
    try {
      facts(folder);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::Data);
      return error.what();
    }
    return "";
  }

  test::TempDir temp_;
};

std::uint8_t noise(int x, int y, int c) {
  return static_cast<std::uint8_t>((x * 71 + y * 137 + c * 59) % 256);
}

TEST_F(ImageFactsTest, ColorPhotographs) {
  add_many("photos", 60, 30, 20, 3, noise);
  const ImageFacts found = facts("photos");
  EXPECT_EQ(found.images, 60);
  EXPECT_EQ(found.looked_at, 60);
  EXPECT_EQ(found.width, 30);
  EXPECT_EQ(found.short_side(), 20);
  EXPECT_EQ(found.channels, 3);
  EXPECT_FALSE(found.full_range);
  EXPECT_FALSE(found.plain_ground);
  EXPECT_FALSE(found.transparent);
  EXPECT_EQ(found.classes, 0);
  ASSERT_EQ(found.mean.size(), 3u);
  EXPECT_NEAR(found.mean[0], 0.5, 0.05);
  EXPECT_NEAR(found.std[0], std::sqrt(1.0 / 12), 0.03);
}

TEST_F(ImageFactsTest, GrayStoredAsColorIsGray) {
  add_many("gray", 60, 12, 12, 3, [](int x, int y, int) { return noise(x, y, 0); });
  const ImageFacts found = facts("gray");
  EXPECT_EQ(found.channels, 1);
  EXPECT_EQ(found.mean.size(), 1u);
  add("gray/colored.png", 12, 12, 3, noise);
  EXPECT_EQ(facts("gray").channels, 3) << "one in color is enough";
}

TEST_F(ImageFactsTest, ObjectsOnAPlainGround) {
  const auto disc = [](int x, int y, int c) {
    return static_cast<std::uint8_t>(std::hypot(x - 10, y - 10) < 6 ? noise(x, y, c) : 250);
  };
  add_many("objects", 60, 20, 20, 3, disc);
  EXPECT_TRUE(facts("objects").plain_ground);
}

TEST_F(ImageFactsTest, FoldersThatLookLikeClasses) {
  add_many("set/boots", 30, 8, 8, 3, noise);
  add_many("set/shirts", 25, 8, 8, 3, noise);
  const ImageFacts found = facts("set");
  EXPECT_EQ(found.classes, 2);
  EXPECT_EQ(found.labeled, 55);
  EXPECT_EQ(found.smallest_class, 25);
  EXPECT_EQ(found.class_examples, "boots, shirts");
  add_many("parts/train", 40, 8, 8, 3, noise);
  add_many("parts/test", 20, 8, 8, 3, noise);
  EXPECT_EQ(facts("parts").classes, 0) << "parts of a set are no classes";
  for (int i = 0; i < 60; ++i) add_many(fmt::format("single/{}", i), 1, 8, 8, 3, noise);
  EXPECT_EQ(facts("single").classes, 0) << "a folder for each image";
}

TEST_F(ImageFactsTest, BandsAndSixteenBits) {
  const std::vector<float> samples(60 * 9 * 9 * 13, 0.5F);
  format::write_npy(temp_ / "bands.npy",
                    {"", format::DType::F32, {60, 9, 9, 13}, std::as_bytes(std::span(samples))});
  const ImageFacts bands = facts("bands.npy", 13);
  EXPECT_EQ(bands.channels, 13);
  EXPECT_TRUE(bands.full_range);
  EXPECT_EQ(bands.mean.size(), 13u);
  EXPECT_GT(bands.std[0], 0) << "a flat set must not be divided by 0";
}

TEST_F(ImageFactsTest, RefusesWhatCannotBeTrainedOnAndSaysWhatToDo) {
  add_many("few", 7, 8, 8, 3, noise);
  EXPECT_NE(refusal("few").find("has 7 images; at least 50"), std::string::npos) << refusal("few");
  add_many("broken", 10, 8, 8, 3, noise);
  for (int i = 0; i < 60; ++i)
    std::ofstream(temp_ / fmt::format("broken/bad{}.png", i)) << "<html>";
  EXPECT_NE(refusal("broken").find("only 10 of the 70"), std::string::npos) << refusal("broken");
  for (int i = 0; i < 60; ++i) {
    fs::create_directories(temp_ / "bad");
    std::ofstream(temp_ / fmt::format("bad/{}.png", i)) << "<html>";
  }
  EXPECT_NE(refusal("bad").find("none of the 60"), std::string::npos) << refusal("bad");
}

TEST_F(ImageFactsTest, SomeBrokenFilesAreCounted) {
  add_many("set", 54, 8, 8, 3, noise);
  for (int i = 0; i < 6; ++i) std::ofstream(temp_ / fmt::format("set/bad{}.png", i)) << "<html>";
  EXPECT_NEAR(facts("set").bad_share, 0.1, 1e-9);
}

}  // namespace
}  // namespace dino::recipe
