// Folders whose index is kept, ImageNet's layout, disks that go away, and mixtures.
#include "dino/data/sources/index_cache.h"

#include <gtest/gtest.h>

#include "dino/base/file.h"
#include "tests/data/fake_data.h"
#include "tests/data/source_folder.h"

namespace dino::data {
namespace {

namespace fs = std::filesystem;
using Names = std::vector<std::string>;

class FolderIndex : public testing::Test {
 protected:
  FolderIndex() {
    temp_.write("set/a/1.png", png(1));
    temp_.write("set/b/2.png", png(2));
    temp_.write("set/b/c/3.png", png(3));
  }
  std::unique_ptr<Dataset> open() {
    return open_dataset(temp_ / "set", {.channels = 1, .inputs = {}, .cache = cache_});
  }
  Names found() { return relative(*open()); }
  Names relative(const Dataset& data) {
    Names names;
    for (std::int64_t i = 0; i < data.size(); ++i)
      names.push_back(fs::path(data.name(i)).lexically_relative(temp_ / "set").native());
    return names;
  }
  fs::path kept() {
    if (!fs::exists(cache_)) return {};
    const fs::directory_iterator files(cache_);
    return files == fs::directory_iterator() ? fs::path() : files->path();
  }
  /** Opens until the index is kept: folders just written are not trusted. */
  void keep() {
    while (kept().empty()) open();
  }
  /** Whether the file in the cache is believed: it is damaged so that believing shows. */
  bool believed() {
    std::string text = read_text_file(kept());
    const std::size_t at = text.find("b/2.png");
    text.replace(at, 7, "b/X.png");
    write_file_atomically(kept(), text);
    const Names names = found();
    return std::find(names.begin(), names.end(), "b/X.png") != names.end();
  }

  SourceFolder temp_;
  fs::path cache_ = temp_.path() / "cache";
};

TEST_F(FolderIndex, IsUsedWhileNothingChanges) {
  const Names expected = {"a/1.png", "b/2.png", "b/c/3.png"};
  EXPECT_EQ(found(), expected);
  keep();
  EXPECT_EQ(found(), expected);
  const auto data = open();
  EXPECT_EQ(data->class_names(), (Names{"a", "b"}));
  EXPECT_EQ(labels_in(*data), (std::vector<std::int64_t>{0, 1, 1}));
  EXPECT_EQ(values_in(*data), (std::vector<int>{1, 2, 3}));
  EXPECT_TRUE(believed());
}

TEST_F(FolderIndex, AnyFolderThatChangesMakesItStale) {
  keep();
  temp_.write("set/b/c/4.png", png(4));
  EXPECT_EQ(found(), (Names{"a/1.png", "b/2.png", "b/c/3.png", "b/c/4.png"}));
  fs::remove(temp_ / "set/a/1.png");
  EXPECT_EQ(found(), (Names{"b/2.png", "b/c/3.png", "b/c/4.png"}));
  fs::rename(temp_ / "set/b/c", temp_ / "set/b/d");
  EXPECT_EQ(found(), (Names{"b/2.png", "b/d/3.png", "b/d/4.png"}));
}

TEST_F(FolderIndex, ATimeThatIsSetBackDoesNotHideAChange) {
  keep();
  const auto before = fs::last_write_time(temp_ / "set/b");
  temp_.write("set/b/4.png", png(4));
  fs::last_write_time(temp_ / "set/b", before);
  EXPECT_FALSE(believed());
}

TEST_F(FolderIndex, NewContentOfAFileNeedsNoNewIndex) {
  keep();
  temp_.write("set/b/2.png", png(77));
  EXPECT_EQ(values_in(*open()), (std::vector<int>{1, 77, 3}));
  EXPECT_TRUE(believed());
}

TEST_F(FolderIndex, DamagedFilesOfTheCacheAreScannedAgain) {
  const Names expected = {"a/1.png", "b/2.png", "b/c/3.png"};
  keep();
  const std::string good = read_text_file(kept());
  for (std::size_t length = 0; length < good.size(); length += 331) {
    write_file_atomically(kept(), good.substr(0, length));
    EXPECT_EQ(found(), expected) << length;
    EXPECT_EQ(read_text_file(kept()), good) << "and kept anew";
  }
  std::string damaged = good;
  for (std::size_t i = 0; i < good.size(); i += 41) {
    damaged[i] = static_cast<char>(good[i] ^ 0x81);
    write_file_atomically(kept(), damaged);
    damaged[i] = good[i];
    const auto data = open();  // names may be wrong, nothing worse
    for (std::int64_t index = 0; index < data->size(); ++index) {
      data->name(index);
      EXPECT_LT(data->label(index), static_cast<std::int64_t>(data->class_names().size()));
    }
  }
}

TEST_F(FolderIndex, ACacheThatCannotBeWrittenIsNoError) {
  cache_ = temp_.write("file", "in the way");
  EXPECT_EQ(found().size(), 3u);
}

TEST_F(FolderIndex, AFolderThatVanishesStopsTheRunAMissingFileDoesNot) {
  const auto data = open();
  fs::remove(temp_ / "set/a/1.png");
  EXPECT_THROW(
      try { data->load(0); } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::Io);
        throw;
      },
      Error);
  fs::rename(temp_ / "set", temp_ / "elsewhere");
  says(refusal_of(ErrorKind::Data, [&] { data->load(1); }), "vanished");
  fs::create_directory(temp_ / "set");  // an empty mount point
  says(refusal_of(ErrorKind::Data, [&] { data->load(1); }), "no longer the folder");
}

TEST(ImageNetLayout, LabelsTxtNamesTheClasses) {
  const SourceFolder temp;
  for (const char* name :
       {"train/n02/n02_1.JPEG", "train/n01/n01_1.JPEG", "train/n03/n03_1.JPEG", "val/n01/x.JPEG"})
    temp.write(name, png(1));
  temp.write("labels.txt", "n01,tench\r\nn02,crane\nn03,crane\nn99,unused\nnonsense\n");
  for (const char* source : {"", "train"}) {
    const auto data = open_dataset(temp / source, 3);
    EXPECT_EQ(data->class_names(), (Names{"tench", "crane (n02)", "crane (n03)"})) << source;
    EXPECT_EQ(labels_in(*data), (std::vector<std::int64_t>{0, 1, 2}));
  }
  EXPECT_EQ(open_dataset(temp / "val", 3)->class_names(), Names{"tench"});
}

TEST(Mixture, IsItsPartsEndToEnd) {
  std::vector<std::unique_ptr<Dataset>> parts;
  parts.push_back(std::make_unique<FakeData>(3));
  parts.push_back(std::make_unique<FakeData>(2));
  const auto mixed = mixture(std::move(parts), {1, 4});
  EXPECT_EQ(mixed->size(), 5);
  EXPECT_EQ(values_in(*mixed), (std::vector<int>{0, 1, 2, 0, 1}));
  EXPECT_EQ(mixed->name(3), "fake#0");
  EXPECT_EQ(mixed->label(0), -1);
  EXPECT_TRUE(mixed->class_names().empty());
  ASSERT_EQ(mixed->parts().size(), 2u);
  EXPECT_EQ(mixed->parts()[1].count, 2);
  EXPECT_EQ(mixed->parts()[1].weight, 4);
  for (const std::vector<double>& wrong : {std::vector<double>{1}, {1, 0}, {1, -1}}) {
    std::vector<std::unique_ptr<Dataset>> two;
    two.push_back(std::make_unique<FakeData>(3));
    two.push_back(std::make_unique<FakeData>(2));
    refusal_of(ErrorKind::Usage, [&] { mixture(std::move(two), wrong); });
  }
}

}  // namespace
}  // namespace dino::data
