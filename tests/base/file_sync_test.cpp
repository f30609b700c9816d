// What a power cut would leave: a file's bytes must be on disk before its name leads to them, and
// the name before the caller hears of success. The system's calls are interposed: this program's
// own fsync() and rename() note themselves and pass on.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "dino/base/file.h"
#include "tests/temp_dir.h"

namespace {

/** Calls in their order, while a test listens. */
std::vector<std::string>* calls = nullptr;
/** What write() takes at once; 0 = all. */
std::size_t most_at_once = 0;

/** Where the descriptor leads, and how much lies there. */
std::string place_of(int descriptor) {
  namespace fs = std::filesystem;
  const fs::path path = fs::read_symlink("/proc/self/fd/" + std::to_string(descriptor));
  if (fs::is_directory(path)) return path.string();
  return path.string() + " of " + std::to_string(fs::file_size(path));
}

}  // namespace

extern "C" int fsync(int descriptor) {
  if (calls != nullptr) calls->push_back("sync " + place_of(descriptor));
  return static_cast<int>(::syscall(SYS_fsync, descriptor));
}

extern "C" ssize_t write(int descriptor, const void* bytes, std::size_t count) {
  if (most_at_once > 0) count = std::min(count, most_at_once);
  return ::syscall(SYS_write, descriptor, bytes, count);
}

extern "C" int rename(const char* from, const char* to) noexcept {
  if (calls != nullptr) calls->push_back("rename " + std::string(from) + " to " + to);
  return static_cast<int>(::syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0));
}

namespace dino {
namespace {

TEST(WriteFile, IsOnDiskBeforeItHasItsName) {
  const test::TempDir folder;
  const std::string target = folder / "file";
  std::vector<std::string> noted;
  calls = &noted;
  write_file_atomically(target, std::string(100'000, 'x'));
  calls = nullptr;
  ASSERT_EQ(noted.size(), 3u);
  const std::string temporary = noted[1].substr(7, noted[1].find(" to ") - 7);
  EXPECT_EQ(noted[0], "sync " + temporary + " of 100000");
  EXPECT_EQ(noted[1], "rename " + temporary + " to " + target);
  EXPECT_EQ(noted[2], "sync " + folder.path().string());
}

// The system may take less than it is given: near a quota, or interrupted by a signal.
TEST(WriteFile, GoesOnWhereTheSystemStopped) {
  const test::TempDir folder;
  std::string text;
  for (int i = 0; i < 1000; ++i) text += std::to_string(i);
  most_at_once = 7;
  write_file_atomically(folder / "file", text);
  most_at_once = 0;
  EXPECT_EQ(read_text_file(folder / "file"), text);
}

}  // namespace
}  // namespace dino
