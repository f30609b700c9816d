#include "dino/data/scenes/object_library.h"

#include <gtest/gtest.h>

#include <set>

#include "dino/base/error.h"
#include "dino/image/codecs/encode.h"
#include "tests/data/scenes/pictures.h"
#include "tests/temp_dir.h"

namespace dino::data {
namespace {

using testing::png_of;
using testing::rectangle;
using testing::write_bytes;
using testing::write_objects;

ObjectLibrary load(const ObjectOptions& options, std::size_t workers = 0) {
  ThreadPool pool(workers);
  return load_objects(options, pool);
}

std::string message_of(const ObjectOptions& options, ErrorKind kind) {
  try {
    load(options);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return "";
}

TEST(ObjectLibrary, SplitsTheObjectsOfEachClass) {
  const test::TempDir dir;
  write_objects(dir.path(), 10);
  const ObjectLibrary library = load({.sources = {dir.path().string()}, .test_share = 0.3});
  EXPECT_EQ(library.classes, (std::vector<std::string>{"disk", "square"}));
  ASSERT_EQ(library.objects.size(), 20u);
  for (std::size_t c = 0; c < 2; ++c) {
    EXPECT_EQ(library.of[0][c].size(), 7u);
    EXPECT_EQ(library.of[1][c].size(), 3u);
    std::set<std::int64_t> all;
    for (const auto& split : library.of) all.insert(split[c].begin(), split[c].end());
    EXPECT_EQ(all.size(), 10u);
    for (const std::int64_t index : all) {
      const SceneObject& object = library.objects[static_cast<std::size_t>(index)];
      EXPECT_EQ(object.label, static_cast<std::int64_t>(c) + 1);
      EXPECT_TRUE(object.name.starts_with(library.classes[c] + "/"));
    }
  }
}

TEST(ObjectLibrary, SplitDependsOnTheSeedAndNotOnThreads) {
  const test::TempDir dir;
  write_objects(dir.path(), 12);
  const ObjectOptions options{.sources = {dir.path().string()}, .test_share = 0.5, .seed = 1};
  ObjectOptions other = options;
  other.seed = 2;
  EXPECT_EQ(load(options, 0).of, load(options, 3).of);
  EXPECT_NE(load(options).of, load(other).of);
  other.test_share = 0;
  EXPECT_TRUE(load(other).of[1][0].empty());
  other.test_share = 0.001;
  EXPECT_EQ(load(other).of[1][0].size(), 1u);
  other.test_share = 0.999;
  EXPECT_EQ(load(other).of[0][0].size(), 1u);
}

TEST(ObjectLibrary, CountsWhatItLeavesOut) {
  const test::TempDir dir;
  write_objects(dir.path(), 4);
  const auto square = rectangle(40, 4, 6, 30, 30, {9, 9, 9, 255});
  write_bytes(dir / "outside.png", png_of(square));
  write_bytes(dir / "rare/one.png", png_of(square));
  write_bytes(dir / "square/again.png", png_of(rectangle(50, 9, 9, 30, 30, {0, 200, 30, 255})));
  write_bytes(dir / "square/cut_short.png", png_of(square).substr(0, 60));
  write_bytes(dir / "square/noise.png", "this is no picture");
  write_bytes(dir / "square/tiny.png", png_of(rectangle(40, 0, 0, 3, 3, {1, 1, 1, 255})));
  image::write_png(dir / "square/photograph.png", image::Image(20, 20, 3));
  std::filesystem::create_symlink(dir / "nowhere.png", dir / "square/dangling.png");
  const ObjectLibrary library = load({.sources = {dir.path().string()}, .test_share = 0.25});
  EXPECT_EQ(library.objects.size(), 8u);
  const ObjectCounts& counts = library.counts;
  EXPECT_EQ(counts.images, 16);
  EXPECT_EQ(counts.without_class, 1);
  EXPECT_EQ(counts.of_small_classes, 1);
  EXPECT_EQ(counts.duplicates, 1);
  EXPECT_EQ(counts.unreadable, 3);
  EXPECT_EQ(counts.first_unreadable.size(), 3u);
  EXPECT_EQ(counts.small, 1);
  EXPECT_EQ(counts.opaque, 1);
}

TEST(ObjectLibrary, ClassesAreFoldersToAChosenDepth) {
  const test::TempDir dir;
  write_objects(dir / "a", 4);
  write_objects(dir / "b/deep", 5);
  const std::string source = dir.path().string();
  EXPECT_EQ(load({.sources = {source}, .least_objects = 2}).classes,
            (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(load({.sources = {source}, .class_depth = 2, .least_objects = 2}).classes,
            (std::vector<std::string>{"a-disk", "a-square", "b-deep"}));
  EXPECT_EQ(load({.sources = {source}, .class_depth = 9, .classes = {"a-disk"}}).classes,
            (std::vector<std::string>{"a-disk"}));
  // The same folders below two sources are the same classes.
  const ObjectLibrary both =
      load({.sources = {(dir / "a").string(), (dir / "b/deep").string()}, .least_objects = 5});
  EXPECT_EQ(both.classes, (std::vector<std::string>{"disk", "square"}));
  EXPECT_EQ(both.counts.duplicates, 8);
}

TEST(ObjectLibrary, RefusesWhatGivesNoObjects) {
  const test::TempDir dir;
  write_objects(dir / "objects", 4);
  std::filesystem::create_directories(dir / "empty");
  std::filesystem::create_directories(dir / "photographs/a");
  image::write_png(dir / "photographs/a/x.png", image::Image(20, 20, 3));
  const std::string objects = (dir / "objects").string();
  message_of({.sources = {}}, ErrorKind::Usage);
  message_of({.sources = {(dir / "missing").string()}}, ErrorKind::Io);
  message_of({.sources = {(dir / "empty").string()}}, ErrorKind::Data);
  EXPECT_NE(message_of({.sources = {(dir / "photographs").string()}}, ErrorKind::Data)
                .find("1 have no transparent background"),
            std::string::npos);
  EXPECT_NE(message_of({.sources = {objects}, .classes = {"sqare"}}, ErrorKind::Usage)
                .find("did you mean 'square'?"),
            std::string::npos);
  message_of({.sources = {objects}, .least_objects = 5}, ErrorKind::Data);
  message_of({.sources = {objects}, .least_objects = 1}, ErrorKind::Usage);
  message_of({.sources = {objects}, .class_depth = 0}, ErrorKind::Usage);
  message_of({.sources = {objects}, .test_share = 1}, ErrorKind::Usage);
}

}  // namespace
}  // namespace dino::data
