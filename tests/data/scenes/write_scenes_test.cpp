// Written sets, and what scene_set.h reads of them.
#include "dino/data/scenes/write_scenes.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <map>
#include <nlohmann/json.hpp>

#include "dino/base/error.h"
#include "dino/base/file.h"
#include "dino/base/json.h"
#include "dino/base/json_lines.h"
#include "dino/data/scenes/scene_set.h"
#include "dino/image/codecs/encode.h"
#include "tests/data/scenes/pictures.h"
#include "tests/temp_dir.h"

namespace dino::data {
namespace {

namespace fs = std::filesystem;

class WriteScenes : public ::testing::Test {
 protected:
  WriteScenes() {
    testing::write_objects(dir_ / "objects", 6);
    options_.objects.sources = {(dir_ / "objects").string()};
    options_.objects.test_share = 0.4;
    options_.count = 10;
    options_.compose.size = 48;
  }

  SceneReport write(const std::string& out, std::size_t workers = 0,
                    const std::stop_token& stop = {}) const {
    ThreadPool pool(workers);
    return write_scenes(options_, dir_ / out, pool, {}, stop);
  }

  ErrorKind error_of(const std::string& out) const {
    try {
      write(out);
    } catch (const Error& error) {
      return error.kind();
    }
    ADD_FAILURE() << "no error";
    return ErrorKind::Internal;
  }

  /** Contents by path below the folder. */
  std::map<std::string, std::string> files_of(const std::string& out) const {
    std::map<std::string, std::string> files;
    for (const auto& entry : fs::recursive_directory_iterator(dir_ / out))
      if (entry.is_regular_file())
        files[entry.path().lexically_relative(dir_ / out).string()] = read_text_file(entry.path());
    return files;
  }

  test::TempDir dir_;
  SceneOptions options_;
};

TEST_F(WriteScenes, GivesTheSameBytesWithAnyNumberOfThreads) {
  write("one", 0);
  write("four", 3);
  const auto files = files_of("one");
  EXPECT_EQ(files, files_of("four"));
  EXPECT_EQ(files.size(), 10u * 3 + 2 + 3 + 12);  // maps, lines, descriptions, single objects
  options_.compose.seed = 1;
  write("other");
  EXPECT_NE(files.at("train/images/000000.png"), files_of("other").at("train/images/000000.png"));
}

TEST_F(WriteScenes, CanBeReadBack) {
  const SceneReport report = write("out");
  EXPECT_TRUE(report.finished);
  EXPECT_EQ(report.scenes, (std::array<std::int64_t, 2>{6, 4}));
  EXPECT_EQ(report.objects, (std::array<std::int64_t, 2>{8, 4}));
  std::int64_t instances = 0;
  for (const SceneSplit split : {SceneSplit::Train, SceneSplit::Test}) {
    const SceneSet set(dir_ / "out", split);
    EXPECT_EQ(set.size(), split == SceneSplit::Train ? 6 : 4);
    EXPECT_EQ(set.side_px(), 48);
    EXPECT_EQ(set.class_names(), (std::vector<std::string>{"background", "disk", "square"}));
    const std::string name(kSplitNames[static_cast<std::size_t>(split)]);
    std::int64_t index = 0;
    for_each_json_line(
        read_text_file(dir_ / "out" / name / "instances.jsonl"),
        [&](nlohmann::json& line, std::string_view) {
          const image::Image labels = set.class_map(index);
          const image::Image numbers = set.instance_map(index);
          EXPECT_EQ(set.images().load(index).width, 48);
          EXPECT_TRUE(set.images().name(index).ends_with(line["image"].get<std::string>()));
          const auto& objects = line["instances"];
          for (std::size_t i = 0; i < numbers.pixels.size(); ++i) {
            const std::size_t number = numbers.pixels[i];
            ASSERT_LE(number, objects.size());
            ASSERT_EQ(labels.pixels[i], number == 0 ? 0 : objects[number - 1]["class"].get<int>());
          }
          instances += std::ssize(objects);
          ++index;
        });
    EXPECT_EQ(index, set.size());
  }
  EXPECT_EQ(instances, report.instances);
  const auto description = read_json_file(dir_ / "out/scenes.json");
  EXPECT_EQ(description["complete"], true);
  EXPECT_EQ(description["counts"]["instances"], report.instances);
  EXPECT_EQ(description["options"]["size"], 48);
}

TEST_F(WriteScenes, NoObjectIsInBothSplits) {
  write("out");
  std::map<std::int64_t, std::string> split_of;
  for_each_json_line(read_text_file(dir_ / "out/objects.jsonl"),
                     [&](nlohmann::json& line, std::string_view) {
                       split_of[line["object"].get<std::int64_t>()] = line["split"];
                     });
  EXPECT_EQ(split_of.size(), 12u);
  for (const std::string split : {"train", "test"}) {
    for_each_json_line(read_text_file(dir_ / "out" / split / "instances.jsonl"),
                       [&](nlohmann::json& line, std::string_view) {
                         for (const auto& instance : line["instances"])
                           EXPECT_EQ(split_of.at(instance["object"].get<std::int64_t>()), split);
                       });
    const auto singles = open_dataset((dir_ / "out/single" / split).string(), 3);
    EXPECT_EQ(singles->class_names(), (std::vector<std::string>{"disk", "square"}));
    for (std::int64_t i = 0; i < singles->size(); ++i)
      EXPECT_EQ(split_of.at(std::stoll(fs::path(singles->name(i)).stem().string())), split);
  }
}

TEST_F(WriteScenes, TakesPhotographsBehindTheObjects) {
  image::Image photograph(60, 60, 3);
  for (int i = 0; i < 5; ++i) {
    std::ranges::fill(photograph.pixels, static_cast<std::uint8_t>(i));
    fs::create_directories(dir_ / "photographs");
    image::write_png(dir_ / "photographs" / (std::to_string(i) + ".png"), photograph);
  }
  options_.photographs = (dir_ / "photographs").string();
  options_.count = 20;
  write("out");
  int seen = 0;
  for_each_json_line(read_text_file(dir_ / "out/train/instances.jsonl"),
                     [&](nlohmann::json& line, std::string_view) {
                       seen += line["background"] == "photograph" ? 1 : 0;
                     });
  EXPECT_GT(seen, 2);
  EXPECT_LT(seen, 11);
}

TEST_F(WriteScenes, TakesUpWhatWasStoppedAndNothingElse) {
  std::stop_source stop;
  ThreadPool pool(0);
  const auto progress = [&](std::int64_t done) {
    if (done == 3) stop.request_stop();
  };
  const SceneReport stopped =
      write_scenes(options_, dir_ / "out", pool, progress, stop.get_token());
  EXPECT_FALSE(stopped.finished);
  EXPECT_THROW(SceneSet(dir_ / "out", SceneSplit::Train), Error);  // incomplete
  SceneOptions other = options_;
  other.compose.seed = 9;
  EXPECT_THROW(write_scenes(other, dir_ / "out", pool, {}, {}), Error);
  EXPECT_TRUE(write("out").finished);
  write("again");
  EXPECT_EQ(files_of("out"), files_of("again"));
  EXPECT_EQ(error_of("out"), ErrorKind::Usage);  // complete
  testing::write_bytes(dir_ / "mine/letter.txt", "dear");
  EXPECT_EQ(error_of("mine"), ErrorKind::Usage);
  testing::write_bytes(dir_ / "odd/scenes.json", "[1, 2");
  EXPECT_EQ(error_of("odd"), ErrorKind::Usage);
  testing::write_bytes(dir_ / "file", "x");
  EXPECT_EQ(error_of("file/out"), ErrorKind::Io);
}

TEST_F(WriteScenes, SaysWhereItMayNotWrite) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may write anywhere";
  fs::create_directories(dir_ / "locked");
  fs::permissions(dir_ / "locked", fs::perms::owner_read | fs::perms::owner_exec);
  EXPECT_EQ(error_of("locked/out"), ErrorKind::Io);
  fs::permissions(dir_ / "locked", fs::perms::owner_all);
}

TEST_F(WriteScenes, RefusesOptionsOutOfRange) {
  const SceneOptions good = options_;
  const auto refused = [&](const auto& change) {
    options_ = good;
    change(options_);
    EXPECT_EQ(error_of("out"), ErrorKind::Usage);
    EXPECT_FALSE(fs::exists(dir_ / "out"));
  };
  refused([](auto& o) { o.count = 1; });
  refused([](auto& o) { o.compose.size = 8; });
  refused([](auto& o) { o.compose.size = 5000; });
  refused([](auto& o) { o.compose.objects = {0, 3}; });
  refused([](auto& o) { o.compose.objects = {4, 3}; });
  refused([](auto& o) { o.compose.objects = {1, 256}; });
  refused([](auto& o) { o.compose.scale = {0, 0.5}; });
  refused([](auto& o) { o.compose.scale = {0.6, 0.5}; });
  refused([](auto& o) { o.compose.turn_degrees = 181; });
  refused([](auto& o) { o.objects.test_share = -0.1; });
  refused([](auto& o) { o.objects.classes = {"hexagon"}; });
}

class DamagedScenes : public WriteScenes {
 protected:
  DamagedScenes() { write("out"); }

  ErrorKind opening_error() const {
    try {
      SceneSet(dir_ / "out", SceneSplit::Train);
    } catch (const Error& error) {
      return error.kind();
    }
    ADD_FAILURE() << "no error";
    return ErrorKind::Internal;
  }
  void describe(const std::string& text) const {
    testing::write_bytes(dir_ / "out/scenes.json", text);
  }
};

TEST_F(DamagedScenes, AreRefused) {
  for (const char* text : {"", "{", "[]", "3", R"({"format": 1})", R"({"format": "1"})",
                           R"({"format": 1, "complete": true, "options": {}})",
                           R"({"format": 1, "complete": 1, "options": {"size": 48}})",
                           R"({"format": 2, "complete": true, "options": {"size": 48}})"}) {
    describe(text);
    EXPECT_EQ(opening_error(), ErrorKind::Format) << text;
  }
  describe(R"({"format": 1, "complete": true, "options": {"size": 48}})");
  SceneSet(dir_ / "out", SceneSplit::Train);
  fs::remove(dir_ / "out/scenes.json");
  EXPECT_EQ(opening_error(), ErrorKind::Usage);
  describe(R"({"format": 1, "complete": true, "options": {"size": 48}})");
  testing::write_bytes(dir_ / "out/classes.txt", "background\n");
  EXPECT_EQ(opening_error(), ErrorKind::Format);
  testing::write_bytes(dir_ / "out/classes.txt", "background\ndisk\nsquare\n");
  fs::remove_all(dir_ / "out/train/images");
  EXPECT_EQ(opening_error(), ErrorKind::Data);
}

TEST_F(DamagedScenes, MapsAreChecked) {
  const SceneSet set(dir_ / "out", SceneSplit::Train);
  const auto error_of_map = [&](std::int64_t index) {
    try {
      set.class_map(index);
    } catch (const Error& error) {
      return error.kind();
    }
    return ErrorKind::Internal;
  };
  image::write_png(dir_ / "out/train/maps/classes/000000.png", image::Image(47, 48, 1));
  image::write_png(dir_ / "out/train/maps/classes/000001.png", image::Image(48, 48, 3));
  image::Image unknown(48, 48, 1);
  unknown.pixels[77] = 3;
  image::write_png(dir_ / "out/train/maps/classes/000002.png", unknown);
  fs::remove(dir_ / "out/train/maps/classes/000003.png");
  for (const std::int64_t index : {0, 1, 2}) EXPECT_EQ(error_of_map(index), ErrorKind::Format);
  EXPECT_EQ(error_of_map(3), ErrorKind::Io);
  EXPECT_EQ(error_of_map(4), ErrorKind::Internal);  // none
}

}  // namespace
}  // namespace dino::data
