// The files of tests/golden/image/formats against NumPy (make_survey_golden.py), and folders made
// here.
#include "dino/data/survey.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "dino/base/error.h"
#include "dino/base/file.h"
#include "dino/format/npy.h"
#include "dino/image/codecs/encode.h"
#include "tests/data/fake_data.h"
#include "tests/data/source_folder.h"
#include "tests/temp_dir.h"

namespace dino::data {
namespace {

namespace fs = std::filesystem;
const fs::path kGolden = DINO_SOURCE_DIR "/tests/golden/image";

TEST(Survey, StatisticsEqualNumPy) {
  const auto golden = nlohmann::json::parse(std::ifstream(kGolden / "survey.json"));
  const auto dataset = open_dataset((kGolden / "formats").string(), 3);
  ThreadPool pool(2);
  const Survey found = survey(*dataset, {.statistics = true}, pool);
  EXPECT_EQ(found.examined, dataset->size());
  EXPECT_TRUE(found.bad.empty());
  ASSERT_EQ(found.statistics.size(), golden.size());
  for (const auto& [channels, expected] : golden.items()) {
    SCOPED_TRACE(channels);
    const auto& statistics = found.statistics.at(std::stoi(channels));
    EXPECT_EQ(found.channels.at(std::stoi(channels)), expected.at("images"));
    ASSERT_EQ(statistics.size(), expected.at("mean").size());
    for (std::size_t c = 0; c < statistics.size(); ++c) {
      EXPECT_NEAR(statistics[c].mean, expected.at("mean")[c], 2e-5);  // lossy files: a level here
      EXPECT_NEAR(statistics[c].std, expected.at("std")[c], 2e-5);    // and there
    }
  }
  EXPECT_EQ(found.formats.at("webp"), 6);
  EXPECT_EQ(found.depths.at("32 float"), 2);
  EXPECT_EQ(found.with_pages, 0);  // each is an image
  EXPECT_GT(found.with_alpha, 8);
}

TEST(Survey, FindsBrokenFilesAndDuplicates) {
  const test::TempDir folder;
  for (const char* name : {"a/1.png", "a/2.png", "b/3.png", "b/4.png"}) {
    fs::create_directories((folder / name).parent_path());
    image::Image image(9, 7, 1);
    image.pixels[0] = name[2] == '4' ? 1 : 0;
    image::write_png(folder / name, image);
  }
  std::ofstream(folder / "b/5.png") << "<html>no picture</html>";
  const auto dataset = open_dataset(folder.path().string(), 3);
  ThreadPool pool(1);
  const Survey found = survey(*dataset, {}, pool);
  EXPECT_EQ(found.images, 5);
  EXPECT_EQ(found.examined, 5);
  ASSERT_EQ(found.bad.size(), 1U);
  EXPECT_TRUE(found.bad[0].name.ends_with("5.png"));
  EXPECT_NE(found.bad[0].reason.find("HTML"), std::string::npos) << found.bad[0].reason;
  ASSERT_EQ(found.duplicates.size(), 1U);
  EXPECT_EQ(found.duplicates[0].size(), 3U);
  EXPECT_TRUE(found.duplicates[0][2].ends_with("3.png"));
  EXPECT_EQ(found.classes.at("b"), 3);
  EXPECT_EQ(found.sizes.at("9x7"), 4);
  EXPECT_EQ(found.channels.at(1), 4);
  EXPECT_TRUE(found.statistics.empty());
}

TEST(Survey, DoesNotDependOnThreadsAndCountsArrays) {
  const FakeData data(700, {3, 400});
  std::vector<double> means;
  for (const std::size_t workers : {std::size_t{0}, std::size_t{3}}) {
    ThreadPool pool(workers);
    const Survey found = survey(data, {.statistics = true}, pool);
    EXPECT_EQ(found.formats.at("array"), 698);
    EXPECT_EQ(found.bad.size(), 2U);
    means.push_back(found.statistics.at(1)[0].mean);
  }
  EXPECT_EQ(means[0], means[1]);
  double sum = 0;
  for (int i = 0; i < 700; ++i) sum += i == 3 || i == 400 ? 0 : i % 251;
  EXPECT_NEAR(means[0], sum / 698 / 255, 1e-6);
}

TEST(Survey, SaysWhatArraysHoldAndComparesAllOfIt) {
  const test::TempDir folder;
  const std::vector<std::int64_t> shape = {3, 2, 2};
  std::vector<std::uint16_t> values(3 * 4, 0x1200);
  values[0] = 0x1201;  // the same in eight bits
  format::write_npy(folder / "u2.npy",
                    {"", format::DType::U16, shape, std::as_bytes(std::span(values))});
  ThreadPool pool(0);
  const auto gray = open_dataset((folder / "u2.npy").string(), 3);
  const Survey found = survey(*gray, {}, pool);
  EXPECT_EQ(found.depths.at("16"), 3);
  EXPECT_EQ(found.channels.at(1), 3);
  EXPECT_EQ(found.bytes, 3 * 4 * 2);
  ASSERT_EQ(found.duplicates.size(), 1U);
  EXPECT_EQ(found.duplicates[0].size(), 2U);
  const fs::path arrays = kGolden.parent_path() / "data";
  const auto alpha = open_dataset((arrays / "rgba_u1.npy").string(), 0);
  EXPECT_EQ(survey(*alpha, {}, pool).with_alpha, 5);
  EXPECT_EQ(survey(*alpha, {}, pool).channels.at(3), 5);
  const auto floats = open_dataset((arrays / "hwc_f4_unit.npy").string(), 0);
  EXPECT_EQ(survey(*floats, {}, pool).depths.at("32 float"), 5);
}

TEST(Survey, FilesOfBandsGiveWideSamples) {
  const test::TempDir folder;
  for (const char* name : {"bands5.tif", "bands5_planar16.tif"})
    fs::copy_file(kGolden / "formats" / name, folder / name);
  const auto dataset = open_dataset(folder.path().string(), 5);
  EXPECT_EQ(dataset->load(0).channels, 5);
  EXPECT_EQ(dataset->load_wide(1).channels, 5);
  ThreadPool pool(0);
  const Survey found = survey(*dataset, {.channels = 5, .statistics = true}, pool);
  EXPECT_EQ(found.statistics.at(5).size(), 5U);
  EXPECT_EQ(survey(*dataset, {.channels = 3}, pool).bad.size(), 2U);
  EXPECT_THROW(open_dataset(folder.path().string(), -1), Error);
}

TEST(Survey, LooksAtAsManyAsAsked) {
  const FakeData data(700);
  ThreadPool pool(0);
  const Survey found = survey(data, {.images = 20}, pool);
  EXPECT_EQ(found.examined, 20);
  EXPECT_EQ(found.images, 700);
  EXPECT_EQ(data.loads, 20);
  EXPECT_THROW(survey(data, {.images = -1}, pool), Error);
}

TEST(Survey, CountsImagesWithoutALabelAndWhatIsNotUsed) {
  const SourceFolder temp;
  const auto data = open_dataset(temp.write("a.tar", tar({{"0.png", png(1)},
                                                          {"0.cls", "a"},
                                                          {"1.png", png(2)},
                                                          {"1.json", "{\"label\": [1, 2]}"},
                                                          {"2.png", png(3)},
                                                          {"film.mp4", "x"}})),
                                 1);
  ThreadPool pool(1);
  const Survey found = survey(*data, {}, pool);
  EXPECT_EQ(found.unlabeled, 2);
  EXPECT_EQ(found.first_unlabeled, data->name(1));
  EXPECT_EQ(found.classes, (std::map<std::string, std::int64_t>{{"a", 1}}));
  ASSERT_EQ(found.notes.size(), 2u);
  says(describe(found.notes[0]) + describe(found.notes[1]), "1.json");
  says(describe(found.notes[0]) + describe(found.notes[1]), "film.mp4");
}

}  // namespace
}  // namespace dino::data
