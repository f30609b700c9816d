// What is named like an image but is no regular file: refused at once, not waited for.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "dino/data/sources/bad_image.h"
#include "tests/data/source_folder.h"

namespace dino::data {
namespace {

TEST(SpecialFiles, PipesAndDevicesAreBadImages) {
  const SourceFolder temp;
  ASSERT_EQ(::mkfifo((temp / "pipe.png").c_str(), 0600), 0);
  std::filesystem::create_symlink("/dev/zero", temp / "zero.png");
  for (const std::string name : {"pipe.png", "zero.png"}) {
    const auto data = open_dataset(temp.write("list.txt", name + "\n"), 1);
    try {
      data->load(0);
      ADD_FAILURE() << name << " was read";
    } catch (const BadImage& error) {
      EXPECT_EQ(error.reason(), BadReason::Unreadable);
      EXPECT_NE(std::string(error.what()).find("not a regular file"), std::string::npos);
    }
  }
}

TEST(SpecialFiles, AFolderMayHoldThem) {
  const SourceFolder temp;
  temp.write("a.png", png(1));
  ASSERT_EQ(::mkfifo((temp / "b.png").c_str(), 0600), 0);
  const auto data = open_dataset(temp.path(), 1);
  EXPECT_EQ(data->load(0).pixels.at(0), 1);
}

}  // namespace
}  // namespace dino::data
