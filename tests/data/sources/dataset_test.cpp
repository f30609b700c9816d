// Folders and lists on disk, friendly and hostile.
#include "dino/data/sources/dataset.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "dino/base/error.h"
#include "dino/base/file.h"
#include "dino/data/loading/loader.h"
#include "dino/image/codecs/encode.h"
#include "tests/data/fake_data.h"

namespace dino::data {
namespace {

namespace fs = std::filesystem;

class DatasetFolder : public testing::Test {
 protected:
  DatasetFolder() {
    std::string name = (fs::temp_directory_path() / "dino_data_XXXXXX").native();
    folder_ = mkdtemp(name.data());
  }
  ~DatasetFolder() override { fs::remove_all(folder_); }

  fs::path write(const fs::path& name, const std::string& bytes) {
    fs::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name, std::ios::binary) << bytes;
    return folder_ / name;
  }
  /** A flat gray image of 9 x 7 px. */
  void write_image(const fs::path& name, std::uint8_t value = 100) {
    image::Image image(9, 7, 1);
    for (auto& sample : image.pixels) sample = value;
    const auto bytes = image::encode_png(image);
    write(name, std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  }
  std::vector<std::string> names(const Dataset& data) const {
    std::vector<std::string> out;
    for (std::int64_t i = 0; i < data.size(); ++i)
      out.push_back(fs::path(data.name(i)).lexically_relative(folder_).native());
    return out;
  }
  std::string refusal(const std::string& source, ErrorKind kind,
                      const std::string& labels = "") const {
    try {
      open_dataset(source, 1, labels);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), kind) << error.what();
      return error.what();
    }
    ADD_FAILURE() << "no error";
    return "";
  }

  fs::path folder_;
};

using Names = std::vector<std::string>;

TEST_F(DatasetFolder, GivesWideSamplesAndWhatIsStored) {
  write_image("a.png", 51);
  const auto data = open_dataset(folder_.string(), 1);
  const image::Planes planes = data->load_wide(0);
  EXPECT_EQ(planes.channels, 1);
  EXPECT_FLOAT_EQ(planes.values.at(5), 0.2F);
  const auto chosen = subset(*data, {0});
  EXPECT_EQ(chosen->load_wide(0).values, planes.values);
  const StoredImage file = chosen->stored(0);
  EXPECT_FALSE(file.samples.has_value());
  EXPECT_EQ(file.bytes, read_file(folder_ / "a.png"));
  const FakeData fake(3);
  const StoredImage array = fake.stored(2);
  ASSERT_TRUE(array.samples.has_value());
  EXPECT_EQ(array.samples->width, 8);
  EXPECT_EQ(array.samples->bits, 8);
  EXPECT_EQ(array.bytes, std::vector<std::byte>(64, std::byte{2}));
  EXPECT_FLOAT_EQ(fake.load_wide(2).values.at(0), 2.0F / 255);
}

TEST_F(DatasetFolder, FindsImagesRecursivelySortedByBytes) {
  write_image("b.png");
  write_image("B.PNG");
  write_image("a/z.png");
  write_image("a.b/y.png");
  write_image("a/deep/er/x.png");
  write_image(".hidden.png");
  write_image(".git/w.png");
  write("notes.txt", "no image");
  write("c.jpeg", "opened only when loaded");
  const auto data = open_dataset(folder_, 3);
  EXPECT_EQ(names(*data),
            (Names{"B.PNG", "a.b/y.png", "a/deep/er/x.png", "a/z.png", "b.png", "c.jpeg"}));
  EXPECT_EQ(data->label(0), -1) << "an image directly in the folder: no classes";
  EXPECT_TRUE(data->class_names().empty());
  const image::Image image = data->load(0);
  EXPECT_EQ(image.width, 9);
  EXPECT_EQ(image.height, 7);
  EXPECT_EQ(image.channels, 3);
  EXPECT_EQ(image.pixels.at(0), 100);
  EXPECT_EQ(open_dataset(folder_, 1)->load(0).channels, 1);
}

TEST_F(DatasetFolder, FirstLevelNamesTheClasses) {
  write_image("dogs/1.png");
  write_image("cats/more/2.png");
  write_image("cats/1.png");
  const auto data = open_dataset(folder_.native() + "/", 3);
  EXPECT_EQ(data->class_names(), (Names{"cats", "dogs"}));
  EXPECT_EQ(data->label(0), 0);
  EXPECT_EQ(data->label(1), 0);
  EXPECT_EQ(data->label(2), 1);
}

TEST_F(DatasetFolder, NumberedClassesSortAsNumbers) {
  for (const char* name : {"10/a.png", "2/a.png", "1/a.png"}) write_image(name);
  EXPECT_EQ(open_dataset(folder_, 3)->class_names(), (Names{"1", "2", "10"}));
}

TEST_F(DatasetFolder, LinksAreFollowedOnceAndLoopsEnd) {
  write_image("a/1.png");
  fs::create_directory_symlink("..", folder_ / "a" / "up");
  fs::create_directory_symlink("a", folder_ / "same");
  fs::create_symlink("nowhere", folder_ / "dangling.png");
  fs::create_symlink("a/1.png", folder_ / "link.png");
  const auto data = open_dataset(folder_, 3);
  EXPECT_EQ(names(*data), (Names{"a/1.png", "dangling.png", "link.png"}));
  EXPECT_NO_THROW(data->load(2));
  EXPECT_THROW(data->load(1), Error);
}

TEST_F(DatasetFolder, NamesNeedNotBeUtf8) {
  const std::string name = "caf\xe9\xff \n.png";
  write_image(name);
  const auto data = open_dataset(folder_, 3);
  EXPECT_EQ(names(*data), Names{name});
  EXPECT_EQ(data->load(0).width, 9);
}

TEST_F(DatasetFolder, MissingEmptyAndWrongSourcesSaySo) {
  EXPECT_NE(refusal("", ErrorKind::Data).find("data.train"), std::string::npos);
  const std::string missing = (folder_ / "missing").native();
  EXPECT_EQ(refusal(missing, ErrorKind::Io),
            "[open data set] '" + missing + "': no such file or folder; check the path");
  EXPECT_NE(refusal(folder_, ErrorKind::Data).find("holds no image (.jpg .jpeg"),
            std::string::npos);
  EXPECT_NE(
      refusal(write("a.png", "image, not a data set"), ErrorKind::Data).find("neither a folder"),
      std::string::npos);
  EXPECT_NE(refusal(write("zero", ""), ErrorKind::Data).find("neither a folder"),
            std::string::npos);
  EXPECT_NE(refusal(folder_, ErrorKind::Data, "labels").find("IDX"), std::string::npos);
  EXPECT_THROW(open_dataset(folder_, -1), Error);
}

TEST_F(DatasetFolder, ListsNamePathsAndLabels) {
  write_image("images/1.png", 11);
  write_image("images/2,3.png", 22);
  const auto plain =
      open_dataset(write("list.txt", "\xef\xbb\xbfimages/2,3.png\r\n\nimages/1.png"), 1);
  EXPECT_EQ(names(*plain), (Names{"images/2,3.png", "images/1.png"}));
  EXPECT_EQ(plain->label(0), -1);
  EXPECT_EQ(plain->load(0).pixels[0], 22);
  const auto labeled =
      open_dataset(write("list.csv", "images/1.png,shirt\nimages/2,3.png, coat \n" +
                                         (folder_ / "images/1.png").native() + ",shirt\n"),
                   1);
  EXPECT_EQ(labeled->class_names(), (Names{"coat", "shirt"}));
  EXPECT_EQ(labeled->label(0), 1);
  EXPECT_EQ(labeled->label(1), 0);
  EXPECT_EQ(labeled->load(2).pixels[0], 11);
  EXPECT_EQ(open_dataset(write("tabs.txt", "images/2,3.png\t7\n"), 1)->class_names(), Names{"7"});
}

TEST_F(DatasetFolder, BadListsNameTheLine) {
  EXPECT_NE(refusal(write("a.txt", ""), ErrorKind::Data).find("names no images"),
            std::string::npos);
  EXPECT_NE(refusal(write("b.csv", "picture of,label\nx.png,1\n"), ErrorKind::Data)
                .find("b.csv:1: 'picture of,label'"),
            std::string::npos);
  EXPECT_NE(refusal(write("c.txt", "x.png,1\ny\n"), ErrorKind::Data).find("c.txt:2: 'y'"),
            std::string::npos);
  EXPECT_NE(refusal(write("d.txt", std::string(1000, '\0')), ErrorKind::Data).find("d.txt:1"),
            std::string::npos);
}

/** The files people's folders are full of: each is skipped and counted, and training goes on. */
TEST_F(DatasetFolder, BadFilesAreSkippedAndCountedByTheLoader) {
  for (int i = 0; i < 12; ++i)
    write_image("good" + std::to_string(i) + ".png", static_cast<std::uint8_t>(i));
  write("bad_empty.jpg", "");
  write("bad_text.jpg", "this is no picture");
  write_image("bad_cut.png");
  fs::resize_file(folder_ / "bad_cut.png", 40);
  write_image("bad_unreadable.png");
  fs::permissions(folder_ / "bad_unreadable.png", fs::perms::none);
  fs::create_directory(folder_ / "bad_folder.png");
  fs::create_symlink("nowhere", folder_ / "bad_link.png");
  const auto data = open_dataset(write("list.txt",
                                       "good0.png\ngood1.png\ngood2.png\nbad_empty.jpg\ngood3."
                                       "png\nbad_text.jpg\ngood4.png\nbad_cut.png\ngood5.png\n"
                                       "bad_folder.png\nbad_link.png\nmissing.png\ngood6.png\n"),
                                 1);
  MultiCropOptions crops;
  crops.global_size = crops.local_size = 4;
  crops.mean = crops.std = {0.5};
  Loader loader(*data, crops, {.batch_size = 13, .channels = 1, .workers = 2, .max_bad_share = 1});
  for (const auto index : loader.next().indices)
    EXPECT_NE(fs::path(data->name(index)).filename().native().substr(0, 4), "bad_");
  const LoaderStats stats = loader.stats();
  EXPECT_EQ(stats.bad_count, 6);
  for (const std::string& line : stats.bad)
    EXPECT_NE(line.find(folder_.native()), std::string::npos) << line;
  if (geteuid() != 0) {  // root may read everything
    EXPECT_THROW(open_dataset(folder_, 1)->load(5), Error);
  }
}

TEST(Subset, KeepsOrderNamesAndLabels) {
  const FakeData base(10);
  const auto part = subset(base, {7, 2, 2});
  EXPECT_EQ(part->size(), 3);
  EXPECT_EQ(part->name(0), "fake#7");
  EXPECT_EQ(part->label(0), 1);
  EXPECT_EQ(part->label(1), 0);
  EXPECT_EQ(part->load(2).pixels[0], 2);
  EXPECT_EQ(part->class_names(), base.class_names());
  EXPECT_THROW(subset(base, {10}), Error);
}

}  // namespace
}  // namespace dino::data
