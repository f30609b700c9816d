#include "dino/data/pack.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "dino/base/error.h"
#include "dino/base/file.h"
#include "dino/data/loading/loader.h"
#include "dino/image/codecs/encode.h"
#include "tests/temp_dir.h"

namespace dino::data {
namespace {

image::Image noise(int width, int height, int channels, std::uint64_t seed) {
  image::Image image(width, height, channels);
  Rng rng(seed, 0, 0, 0);
  for (auto& sample : image.pixels) sample = static_cast<std::uint8_t>(rng.below(256));
  return image;
}

/** A folder of two classes with PNG files of different sizes. */
void make_photos(const std::filesystem::path& folder, int count) {
  for (const char* name : {"cat", "dog"}) std::filesystem::create_directories(folder / name);
  for (int i = 0; i < count; ++i)
    image::write_png(folder / (2 * i < count ? "cat" : "dog") / fmt::format("{:03d}.png", i),
                     noise(40 + i, 30 + 2 * i, 3, static_cast<std::uint64_t>(i)));
}

PackReport run(const std::filesystem::path& source, const std::filesystem::path& out,
               const PackOptions& options, const std::stop_token& stop = {},
               const std::function<void(std::int64_t)>& progress = {}) {
  ThreadPool pool(1);
  return pack(*open_dataset(source.string(), 3), source.string(), out, options, pool, progress,
              stop);
}

std::vector<float> first_batches(const std::string& source) {
  MultiCropOptions crops;
  crops.global_size = 16;
  crops.local_size = 8;
  crops.local_count = 2;
  const auto dataset = open_dataset(source, 3);
  Loader loader(*dataset, crops, {.batch_size = 4, .channels = 3, .seed = 3, .workers = 2});
  std::vector<float> all;
  for (int i = 0; i < 4; ++i) {
    const CropBatch batch = loader.next();
    all.insert(all.end(), batch.globals.data(), batch.globals.data() + batch.globals.size());
    all.insert(all.end(), batch.locals.data(), batch.locals.data() + batch.locals.size());
  }
  return all;
}

TEST(Pack, RawAtFullSizeGivesTheBatchesOfTheFolder) {
  const test::TempDir dir;
  make_photos(dir.path() / "photos", 11);
  const PackReport report = run(dir.path() / "photos", dir.path() / "pack",
                                {.size = 0, .quality = 90, .raw = true, .shard_images = 4});
  EXPECT_TRUE(report.finished);
  EXPECT_EQ(report.images, 11);
  EXPECT_EQ(report.shards, 3);
  const std::string shards = shard_pattern(dir.path() / "pack", 3);
  EXPECT_EQ(first_batches(shards), first_batches((dir.path() / "photos").string()));
  const auto before = open_dataset((dir.path() / "photos").string(), 3);
  const auto after = open_dataset(shards, 3);
  EXPECT_EQ(after->class_names(), before->class_names());
  ASSERT_EQ(after->size(), before->size());
  for (std::int64_t i = 0; i < after->size(); ++i) {
    EXPECT_EQ(after->label(i), before->label(i));
    EXPECT_EQ(after->load(i), before->load(i));
  }
}

TEST(Pack, ShrinksTheShortSide) {
  const test::TempDir dir;
  make_photos(dir.path() / "photos", 6);
  const PackReport report =
      run(dir.path() / "photos", dir.path() / "pack", {.size = 32, .quality = 95});
  const auto before = open_dataset((dir.path() / "photos").string(), 3);
  const auto after = open_dataset(shard_pattern(dir.path() / "pack", report.shards), 3);
  ASSERT_EQ(after->size(), 6);
  for (std::int64_t i = 0; i < 6; ++i) {
    const image::Image large = before->load(i), small = after->load(i);
    const int side = std::min(large.width, large.height);
    EXPECT_EQ(std::min(small.width, small.height), std::min(side, 32));
    EXPECT_NEAR(static_cast<double>(small.width) / small.height,
                static_cast<double>(large.width) / large.height, 0.03);
  }
}

TEST(Pack, GoesOnWhereItWasStopped) {
  const test::TempDir dir;
  make_photos(dir.path() / "photos", 11);
  const PackOptions options{.size = 24, .quality = 90, .raw = false, .shard_images = 4};
  run(dir.path() / "photos", dir.path() / "whole", options);

  std::stop_source stop;
  const PackReport part = run(dir.path() / "photos", dir.path() / "pack", options, stop.get_token(),
                              [&](std::int64_t done) {
                                if (done >= 4) stop.request_stop();
                              });
  EXPECT_FALSE(part.finished);
  EXPECT_EQ(part.shards, 1);
  EXPECT_EQ(part.images, 4);
  const PackReport rest = run(dir.path() / "photos", dir.path() / "pack", options);
  EXPECT_TRUE(rest.finished);
  EXPECT_EQ(rest.reused, 4);
  EXPECT_EQ(rest.images, 11);
  for (const auto& entry : std::filesystem::directory_iterator(dir.path() / "whole"))
    EXPECT_EQ(read_file(entry.path()), read_file(dir.path() / "pack" / entry.path().filename()));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(dir.path() / "pack"), {}), 4);
}

TEST(Pack, LeavesOutAndNamesBadImages) {
  const test::TempDir dir;
  make_photos(dir.path() / "photos", 5);
  std::ofstream(dir.path() / "photos" / "cat" / "001.png") << "no image";
  const PackReport report = run(dir.path() / "photos", dir.path() / "pack", {.size = 24});
  EXPECT_EQ(report.images, 4);
  ASSERT_EQ(report.bad.size(), 1U);
  EXPECT_NE(report.bad[0].find("001.png"), std::string::npos);
}

TEST(Pack, RefusesOtherSettingsAndFoldersThatAreNoPack) {
  const test::TempDir dir;
  make_photos(dir.path() / "photos", 3);
  run(dir.path() / "photos", dir.path() / "pack", {.size = 24});
  EXPECT_THROW(run(dir.path() / "photos", dir.path() / "pack", {.size = 25}), Error);
  EXPECT_THROW(run(dir.path() / "photos", dir.path() / "photos", {.size = 24}), Error);
  for (const PackOptions& options :
       {PackOptions{.size = -1}, PackOptions{.size = 256, .quality = 0},
        PackOptions{.size = 256, .quality = 101},
        PackOptions{.size = 256, .quality = 90, .raw = false, .shard_images = 0}})
    EXPECT_THROW(run(dir.path() / "photos", dir.path() / "other", options), Error);
  EXPECT_FALSE(std::filesystem::exists(dir.path() / "other"));
}

}  // namespace
}  // namespace dino::data
