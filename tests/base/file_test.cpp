#include "dino/base/file.h"

#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <thread>

#include "dino/base/error.h"
#include "tests/temp_dir.h"

namespace dino {
namespace {

namespace fs = std::filesystem;

std::size_t entries(const fs::path& folder) {
  return static_cast<std::size_t>(
      std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

/** Expects Error{Io} whose message holds `part`. */
template <typename Function>
void expect_io_error(Function function, std::string_view part) {
  try {
    function();
    ADD_FAILURE() << "no error";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::Io);
    EXPECT_NE(std::string_view(e.what()).find(part), std::string_view::npos) << e.what();
  }
}

TEST(ReadFile, MissingFileNamesPathAndReason) {
  expect_io_error([] { read_file("/no/such/file"); }, "/no/such/file: No such file or directory");
}

TEST(ReadFile, FolderIsAnError) {
  test::TempDir dir;
  expect_io_error([&] { read_file(dir.path()); }, "Is a directory");
}

TEST(ReadFile, EmptyAndLarge) {
  test::TempDir dir;
  write_file_atomically(dir / "empty", "");
  EXPECT_TRUE(read_file(dir / "empty").empty());
  const std::string text(3'000'000, 'x');
  write_file_atomically(dir / "large", text);
  EXPECT_EQ(read_text_file(dir / "large"), text);
}

TEST(ReadFile, FilesThatClaimNoSize) {
  EXPECT_GT(read_text_file("/proc/self/status").size(), 100u);
}

TEST(WriteFile, ReplacesAndLeavesNothingElse) {
  test::TempDir dir;
  write_file_atomically(dir / "a", "old");
  write_file_atomically(dir / "a", "new");
  EXPECT_EQ(read_text_file(dir / "a"), "new");
  EXPECT_EQ(entries(dir.path()), 1u);
}

TEST(WriteFile, RelativeNameWithoutFolder) {
  test::TempDir dir;
  const fs::path before = fs::current_path();
  fs::current_path(dir.path());
  write_file_atomically("plain", "text");
  fs::current_path(before);
  EXPECT_EQ(read_text_file(dir / "plain"), "text");
}

TEST(WriteFile, NamesThatAreNotUtf8) {
  test::TempDir dir;
  const fs::path path = dir / "caf\xE9\n.bin";
  write_file_atomically(path, "text");
  EXPECT_EQ(read_text_file(path), "text");
  fs::remove(path);
  expect_io_error([&] { read_file(path); }, "caf\\xE9\\x0A.bin");
}

TEST(WriteFile, LongestNameWorks) {
  test::TempDir dir;
  write_file_atomically(dir / std::string(255, 'n'), "text");
  EXPECT_EQ(read_text_file(dir / std::string(255, 'n')), "text");
}

TEST(WriteFile, FollowsUmaskNotPrivate) {
  test::TempDir dir;
  const mode_t before = ::umask(022);
  write_file_atomically(dir / "a", "text");
  ::umask(before);
  struct stat info {};
  ASSERT_EQ(::stat((dir / "a").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0644u);
}

TEST(WriteFile, LinkStaysALink) {
  test::TempDir dir;
  write_file_atomically(dir / "real", "old");
  fs::create_symlink("real", dir / "link");
  write_file_atomically(dir / "link", "new");
  EXPECT_TRUE(fs::is_symlink(dir / "link"));
  EXPECT_EQ(read_text_file(dir / "real"), "new");
}

TEST(WriteFile, RefusesWhatIsNoRegularFile) {
  test::TempDir dir;
  expect_io_error([&] { write_file_atomically(dir.path(), "x"); }, "not a regular file");
  expect_io_error([&] { write_file_atomically("/dev/null", "x"); }, "not a regular file");
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
}

TEST(WriteFile, MissingFolder) {
  test::TempDir dir;
  expect_io_error([&] { write_file_atomically(dir / "no" / "file", "x"); }, "No such file");
}

TEST(WriteFile, FolderWithoutPermission) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may write everywhere";
  test::TempDir dir;
  fs::permissions(dir.path(), fs::perms::owner_read | fs::perms::owner_exec);
  expect_io_error([&] { write_file_atomically(dir / "a", "x"); }, "Permission denied");
  fs::permissions(dir.path(), fs::perms::owner_all);
}

TEST(WriteFile, ExceptionOfTheProducerLeavesTheOldFile) {
  test::TempDir dir;
  write_file_atomically(dir / "a", "old");
  const auto produce = [](const auto& sink) {
    sink(std::as_bytes(std::span("half", 4)));
    throw std::logic_error("producer");
  };
  EXPECT_THROW(write_file_atomically(dir / "a", produce), std::logic_error);
  EXPECT_EQ(read_text_file(dir / "a"), "old");
  EXPECT_EQ(entries(dir.path()), 1u);
}

/** A write that the system refuses midway must leave the old file and nothing else. */
void expect_refused_midway(const fs::path& folder, std::string_view reason) {
  write_file_atomically(folder / "a", "old");
  const std::string chunk(64 << 10, 'x');
  const auto produce = [&](const auto& sink) {
    for (int i = 0; i < 64; ++i) sink(std::as_bytes(std::span(chunk)));
  };
  expect_io_error([&] { write_file_atomically(folder / "a", produce); }, reason);
  EXPECT_EQ(read_text_file(folder / "a"), "old");
  EXPECT_EQ(entries(folder), 1u);
}

TEST(WriteFile, FileSizeLimit) {
  test::TempDir dir;
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{.rlim_cur = 1 << 20, .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  expect_refused_midway(dir.path(), "File too large");
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, old_handler);
}

TEST(WriteFile, FullDisk) {
  test::TempDir dir;
  if (::mount("none", dir.path().c_str(), "tmpfs", 0, "size=1m") != 0)
    GTEST_SKIP() << "needs the right to mount";
  expect_refused_midway(dir.path(), "No space left on device");
  ::umount2(dir.path().c_str(), MNT_DETACH);
}

TEST(WriteFile, ManyWritersOfOneName) {
  test::TempDir dir;
  {
    std::vector<std::jthread> writers;
    for (char c = 'a'; c < 'e'; ++c)
      writers.emplace_back([&dir, c] {
        for (int i = 0; i < 20; ++i) write_file_atomically(dir / "a", std::string(10000, c));
      });
  }
  const std::string text = read_text_file(dir / "a");
  EXPECT_EQ(text, std::string(10000, text.at(0)));  // one writer's, whole
  EXPECT_EQ(entries(dir.path()), 1u);
}

TEST(TemporaryFiles, AreKnownByTheirNames) {
  for (const char* name : {".1-0.tmp", "a/b.c/.12345-678.tmp"})
    EXPECT_TRUE(is_temporary_file(name)) << name;
  for (const char* name : {"", ".", ".tmp", "1-0.tmp", ".1.tmp", ".1-.tmp", ".-1.tmp", ".a-1.tmp",
                           ".1-2-3.tmp", ".1-0.tmp.gz", "x.tmp", "a/.1-0.tmp/b"})
    EXPECT_FALSE(is_temporary_file(name)) << name;
}

}  // namespace
}  // namespace dino
