#include "dino/base/mapped_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <string_view>

#include "dino/base/error.h"
#include "dino/base/file.h"
#include "tests/temp_dir.h"

namespace dino {
namespace {

std::string_view text_of(const MappedFile& file) {
  return {reinterpret_cast<const char*>(file.bytes.data()), file.bytes.size()};
}

TEST(MapFile, OutlivesTheNameAndTheFirstCopy) {
  test::TempDir dir;
  write_file_atomically(dir / "a", "hello");
  MappedFile copy;
  {
    const MappedFile file = map_file(dir / "a");
    copy = file;
  }
  write_file_atomically(dir / "a", "world");  // a new file under the old name
  EXPECT_EQ(text_of(copy), "hello");
}

TEST(MapFile, Empty) {
  test::TempDir dir;
  write_file_atomically(dir / "a", "");
  EXPECT_TRUE(map_file(dir / "a").bytes.empty());
}

TEST(MapFile, RefusesFoldersPipesAndMissingFiles) {
  test::TempDir dir;
  EXPECT_THROW(map_file(dir / "missing"), Error);
  EXPECT_THROW(map_file(dir.path()), Error);
  EXPECT_THROW(map_file("/dev/zero"), Error);
  ASSERT_EQ(::mkfifo((dir / "pipe").c_str(), 0600), 0);
  EXPECT_THROW(map_file(dir / "pipe"), Error);  // and does not wait for a writer
}

}  // namespace
}  // namespace dino
