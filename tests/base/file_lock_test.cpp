#include "dino/base/file_lock.h"

#include <gtest/gtest.h>

#include "dino/base/error.h"
#include "tests/temp_dir.h"

namespace dino {
namespace {

TEST(FileLock, IsHeldByOneAtATime) {
  const test::TempDir temp;
  auto first = FileLock::try_lock(temp / "lock");
  ASSERT_TRUE(first);
  EXPECT_FALSE(FileLock::try_lock(temp / "lock"));
  const FileLock moved = std::move(*first);
  EXPECT_FALSE(FileLock::try_lock(temp / "lock"));
  EXPECT_TRUE(FileLock::try_lock(temp / "other"));
}

TEST(FileLock, GoesWithItsOwner) {
  const test::TempDir temp;
  { const auto lock = FileLock::try_lock(temp / "lock"); }
  EXPECT_TRUE(FileLock::try_lock(temp / "lock"));
}

TEST(FileLock, NamesThePathItCannotMake) {
  const test::TempDir temp;
  try {
    FileLock::try_lock(temp / "missing" / "lock");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Io);
    EXPECT_NE(std::string(error.what()).find("missing"), std::string::npos);
  }
}

}  // namespace
}  // namespace dino
