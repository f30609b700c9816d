#include "dino/run/run_dir.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "dino/base/error.h"
#include "dino/base/file.h"
#include "tests/temp_dir.h"

namespace dino::run {
namespace {

/** The message of the Error that `action` throws; "" if it throws none. */
template <typename F>
std::string error_of(const F& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

void write(const std::filesystem::path& path, std::string_view text) {
  write_file_atomically(path, text);
}

TEST(RunDir, ANewRunGetsItsFolders) {
  const test::TempDir temp;
  const RunDir run = RunDir::create(temp / "a/b", false);
  EXPECT_TRUE(std::filesystem::is_directory(temp / "a/b/checkpoints"));
  EXPECT_TRUE(std::filesystem::is_directory(temp / "a/b/weights"));
}

TEST(RunDir, AnExistingRunIsNeverOverwrittenSilently) {
  const test::TempDir temp;
  { RunDir::create(temp / "run", false); }
  write(temp / "run/recipe.toml", "x");
  write(temp / "run/metrics.jsonl", "{}\n");
  const std::string message = error_of([&] { RunDir::create(temp / "run", false); });
  EXPECT_NE(message.find("--resume"), std::string::npos) << message;
  EXPECT_NE(message.find("--force"), std::string::npos) << message;
}

TEST(RunDir, ARunThatFailedInItsFirstStepIsNoObstacle) {
  const test::TempDir temp;
  { RunDir::create(temp / "run", false); }
  write(temp / "run/recipe.toml", "x");
  EXPECT_EQ(error_of([&] { RunDir::create(temp / "run", false); }), "");
  EXPECT_FALSE(std::filesystem::exists(temp / "run/recipe.toml"));
}

TEST(RunDir, ForceRemovesTheRunAndNothingElse) {
  const test::TempDir temp;
  { RunDir::create(temp / "run", false); }
  const std::vector<std::string> ours = {
      "recipe.toml",       "env.json",     "metrics.jsonl",
      "bad_files.jsonl",   "figures.json", "summary.json",
      "report.html",       "weights/a",    "events.out.tfevents.1.x",
      "checkpoints/step_1"};
  for (const std::string& name : ours) write(temp / "run" / name, "x");
  write(temp / "run/thesis.tex", "x");
  const RunDir run = RunDir::create(temp / "run", true);
  for (const std::string& name : ours)
    EXPECT_FALSE(std::filesystem::exists(temp / "run" / name)) << name;
  EXPECT_TRUE(std::filesystem::exists(temp / "run/thesis.tex"));
}

TEST(RunDir, AFolderWithOtherThingsIsRefused) {
  const test::TempDir temp;
  write(temp / "thesis.tex", "x");
  EXPECT_NE(error_of([&] { RunDir::create(temp.path(), false); }).find("not empty"),
            std::string::npos);
  EXPECT_NE(error_of([&] { RunDir::create(temp / "thesis.tex", false); }).find("is a file"),
            std::string::npos);
}

TEST(RunDir, TwoTrainingsNeverShareADirectory) {
  const test::TempDir temp;
  const RunDir run = RunDir::create(temp / "run", false);
  for (const bool force : {false, true})
    EXPECT_NE(error_of([&] { RunDir::create(temp / "run", force); }), "");
  EXPECT_NE(error_of([&] { RunDir::open(temp / "run"); }).find("in use"), std::string::npos);
}

TEST(RunDir, TheLockOfAKilledProcessIsGone) {
  const test::TempDir temp;
  const pid_t child = fork();
  if (child == 0) {
    const RunDir run = RunDir::create(temp / "run", false);
    kill(getpid(), SIGKILL);
  }
  int status = 0;
  waitpid(child, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(error_of([&] { RunDir::open(temp / "run"); }), "");
}

TEST(RunDir, OpeningRemovesHalfWrittenFiles) {
  const test::TempDir temp;
  { RunDir::create(temp / "run", false); }
  write(temp / "run/checkpoints/.123-0.tmp", "half");
  const char* others[] = {"notes.tmp", "x.tmp.gz", ".tmp",      ".a-0.tmp",      ".1-.tmp",
                          ".-1.tmp",   "1-2.tmp",  ".1-2.tmp~", "my.tmpfile.txt"};
  for (const char* name : others) write(temp / "run" / name, "somebody's");
  const RunDir run = RunDir::open(temp / "run");
  EXPECT_TRUE(std::filesystem::is_empty(temp / "run/checkpoints"));
  for (const char* name : others) EXPECT_TRUE(std::filesystem::exists(temp / "run" / name)) << name;
}

TEST(RunDir, ResumingWhatIsNoRunSaysSo) {
  const test::TempDir temp;
  EXPECT_NE(error_of([&] { RunDir::open(temp / "nothing"); }).find("no run"), std::string::npos);
}

TEST(RunDir, APlaceThatCannotBeMadeIsAnError) {
  EXPECT_NE(error_of([&] { RunDir::create("/proc/no/run", false); }).find("/proc/no/run"),
            std::string::npos);
}

TEST(RunDir, MetricsLoseWhatWillBeWrittenAgain) {
  const test::TempDir temp;
  const auto path = temp / "metrics.jsonl";
  write(path, "{\"iteration\":10}\n{\"iteration\":20}\nnot json\n{\"iteration\":30}\n{\"itera");
  truncate_metrics(path, 20);
  EXPECT_EQ(read_text_file(path), "{\"iteration\":10}\n{\"iteration\":20}\n");
}

}  // namespace
}  // namespace dino::run
