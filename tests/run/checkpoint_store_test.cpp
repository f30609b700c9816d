#include "dino/run/checkpoint_store.h"

#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>

#include "dino/base/error.h"
#include "tests/temp_dir.h"

namespace dino::run {
namespace {

/** One tensor of `count` floats, all `value`. */
struct State {
  explicit State(float value, std::size_t count = 1000) : values(count, value) {}
  std::vector<format::TensorRecord> records() const {
    return {{.name = "student.weight",
             .dtype = format::DType::F32,
             .shape = {static_cast<std::int64_t>(values.size())},
             .bytes = std::as_bytes(std::span(values))}};
  }
  std::vector<float> values;
};

CheckpointInfo at(std::int64_t iteration, std::int64_t best_iteration = -1) {
  CheckpointInfo info;
  info.iteration = iteration;
  info.best_iteration = best_iteration;
  info.recipe = "name = \"t\"";
  return info;
}

float first_value(const Checkpoint& checkpoint) {
  float value = 0;
  std::memcpy(&value, checkpoint.file.tensors().at(0).bytes.data(), sizeof(value));
  return value;
}

std::vector<std::string> names(const CheckpointStore& store) {
  std::vector<std::string> found;
  for (const auto& path : store.list()) found.push_back(path.stem().string());
  return found;
}

void truncate(const std::filesystem::path& path, std::uintmax_t size) {
  std::filesystem::resize_file(path, size);
}

TEST(Checkpoint, EverythingComesBack) {
  const test::TempDir folder;
  CheckpointStore store(folder.path(), 3);
  CheckpointInfo info = at(123);
  info.best_knn = 0.1 + 0.2;  // not representable in few digits
  info.train_seconds = 1.0 / 3.0;
  info.metrics_window = {{"sums_", {{"loss", 1e-300}}}};
  store.save(info, State(7).records());

  const auto checkpoint = store.newest();
  ASSERT_TRUE(checkpoint);
  EXPECT_EQ(nlohmann::json(checkpoint->info), nlohmann::json(info));
  EXPECT_EQ(first_value(*checkpoint), 7.0F);
}

TEST(Checkpoint, NoneYetIsNoError) {
  const test::TempDir folder;
  EXPECT_FALSE(CheckpointStore(folder / "missing", 3).newest());
}

TEST(Checkpoint, KeepsTheLastAndTheBest) {
  const test::TempDir folder;
  CheckpointStore store(folder.path(), 2);
  for (int i = 1; i <= 6; ++i) store.save(at(i * 100, i >= 2 ? 200 : -1), State(1).records());
  EXPECT_EQ(names(store),
            (std::vector<std::string>{"step_00000200", "step_00000500", "step_00000600"}));
}

TEST(Checkpoint, ADamagedNewestOneIsPassedOverWithAWarning) {
  const test::TempDir folder;
  std::vector<std::string> warnings;
  CheckpointStore store(folder.path(), 3,
                        [&](LogLevel, std::string_view text) { warnings.emplace_back(text); });
  store.save(at(1), State(1).records());
  store.save(at(2), State(2).records());
  const auto newest = store.list().back();
  const auto size = std::filesystem::file_size(newest);
  for (const std::uintmax_t cut : {size - 1, size / 2, std::uintmax_t{9}, std::uintmax_t{0}}) {
    truncate(newest, cut);
    warnings.clear();
    const auto checkpoint = store.newest();
    ASSERT_TRUE(checkpoint);
    EXPECT_EQ(checkpoint->info.iteration, 1) << cut;
    ASSERT_EQ(warnings.size(), 1U);
    EXPECT_NE(warnings[0].find(newest.string()), std::string::npos);
  }
  truncate(store.list().front(), 5);
  EXPECT_THROW(store.newest(), Error);
}

/** A run that goes on from before a damaged checkpoint writes lower numbers than that one has. */
TEST(Checkpoint, NeverRemovesWhatWasJustWritten) {
  for (const int keep : {1, 2, 3}) {
    const test::TempDir folder;
    CheckpointStore store(folder.path(), keep);
    store.save(at(100), State(1).records());
    store.save(at(200), State(2).records());
    truncate(store.list().back(), 50);
    store.save(at(150), State(3).records());
    const auto checkpoint = store.newest();
    ASSERT_TRUE(checkpoint) << keep;
    EXPECT_EQ(checkpoint->info.iteration, 150) << keep;
    EXPECT_EQ(first_value(*checkpoint), 3.0F);
  }
}

TEST(Checkpoint, DamagedOnesAreSetAsideAndNotCounted) {
  const test::TempDir folder;
  std::vector<std::string> warnings;
  CheckpointStore store(folder.path(), 2,
                        [&](LogLevel, std::string_view text) { warnings.emplace_back(text); });
  for (const int i : {100, 200, 300}) store.save(at(i), State(1).records());
  truncate(store.list().back(), 50);
  ASSERT_EQ(store.newest()->info.iteration, 200);
  warnings.clear();
  store.set_aside_after(200, "damaged");
  ASSERT_EQ(warnings.size(), 1U);
  EXPECT_NE(warnings[0].find("step_00000300.safetensors.damaged"), std::string::npos);
  EXPECT_TRUE(std::filesystem::exists(folder / "step_00000300.safetensors.damaged"));
  store.save(at(250), State(1).records());
  store.save(at(300), State(1).records());
  EXPECT_EQ(names(store), (std::vector<std::string>{"step_00000250", "step_00000300"}));
}

TEST(Checkpoint, TheNewestAtWhichAllWasWell) {
  const test::TempDir folder;
  CheckpointStore store(folder.path(), 5);
  EXPECT_FALSE(store.newest_well());
  for (const int i : {100, 200, 300, 400}) {
    CheckpointInfo info = at(i);
    info.well = i < 400;
    store.save(info, State(1).records());
  }
  EXPECT_EQ(store.newest_well()->info.iteration, 300);
  truncate(store.list()[2], 50);
  EXPECT_EQ(store.newest_well()->info.iteration, 200);
  store.set_aside_after(200, "collapsed");
  EXPECT_TRUE(std::filesystem::exists(folder / "step_00000400.safetensors.collapsed"));
  EXPECT_EQ(store.newest()->info.iteration, 200);
}

TEST(Checkpoint, OtherFilesAreNotTakenForOne) {
  const test::TempDir folder;
  format::write_safetensors(folder / "weights.safetensors", State(1).records());
  EXPECT_THROW(open_checkpoint(folder / "weights.safetensors"), Error);
  format::write_safetensors(folder / "bad.safetensors", State(1).records(),
                            {{"dino_checkpoint", "{"}});
  EXPECT_THROW(open_checkpoint(folder / "bad.safetensors"), Error);
  format::write_safetensors(folder / "step_x1.safetensors", State(1).records());
  EXPECT_FALSE(CheckpointStore(folder.path(), 3).newest());
}

/** Saves checkpoint 1, then writes checkpoint 2 in a child that may write only `limit` bytes to any
 * file; returns the child's wait status. */
int save_with_file_limit(const std::filesystem::path& folder, rlim_t limit, bool survive) {
  CheckpointStore store(folder, 3);
  store.save(at(1), State(1).records());
  const pid_t child = fork();
  if (child == 0) {
    const rlimit size_limit{limit, limit};
    const rlimit no_core{0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    setrlimit(RLIMIT_FSIZE, &size_limit);
    std::signal(SIGXFSZ, survive ? SIG_IGN : SIG_DFL);
    try {
      store.save(at(2), State(2).records());
    } catch (const Error& error) {
      _exit(error.kind() == ErrorKind::Io ? 10 : 11);
    }
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return status;
}

// The kernel kills a process with SIGXFSZ at the very byte that passes the limit: a kill in the
// middle of a write, without chance.
TEST(Checkpoint, AKillInTheMiddleOfAWriteLeavesThePreviousOne) {
  for (const rlim_t limit : {rlim_t{1}, rlim_t{100}, rlim_t{1000}, rlim_t{4000}}) {
    const test::TempDir folder;
    const int status = save_with_file_limit(folder.path(), limit, false);
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGXFSZ) << limit;
    const auto checkpoint = CheckpointStore(folder.path(), 3).newest();
    ASSERT_TRUE(checkpoint);
    EXPECT_EQ(checkpoint->info.iteration, 1);
    EXPECT_EQ(first_value(*checkpoint), 1.0F);
  }
}

TEST(Checkpoint, AWriteThatIsRefusedIsAnErrorAndLeavesNothingBehind) {
  const test::TempDir folder;
  const int status = save_with_file_limit(folder.path(), 1000, true);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 10);
  EXPECT_EQ(names(CheckpointStore(folder.path(), 3)), std::vector<std::string>{"step_00000001"});
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
}

TEST(Checkpoint, AFullDiskIsAClearErrorAndThePreviousOneStays) {
  const test::TempDir folder;
  if (mount("tmpfs", folder.path().c_str(), "tmpfs", 0, "size=64k") != 0)
    GTEST_SKIP() << "mounting a small tmpfs needs root: " << std::strerror(errno);
  struct Unmount {
    const test::TempDir& folder;
    ~Unmount() { umount(folder.path().c_str()); }
  } const unmount{folder};

  CheckpointStore store(folder.path(), 3);
  store.save(at(1), State(1).records());
  try {
    store.save(at(2), State(2, 100000).records());
    FAIL() << "400 kB fitted on 64 kB";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Io);
    EXPECT_NE(std::string(error.what()).find("No space left"), std::string::npos) << error.what();
  }
  EXPECT_EQ(names(store), std::vector<std::string>{"step_00000001"});
  EXPECT_EQ(first_value(*store.newest()), 1.0F);
}

}  // namespace
}  // namespace dino::run
