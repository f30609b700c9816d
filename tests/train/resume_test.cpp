// Fault injection on whole runs: a process killed at any moment and resumed must end, bit for bit,
// where an uninterrupted one ends. Every training is a child process of its own, with one thread,
// because a forked process has no thread pool.
#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <random>

#include "dino/train/train.h"
#include "tests/temp_dir.h"
#include "tests/train/tiny_run.h"

namespace dino::train {
namespace {

using OnStep = std::function<void(std::int64_t steps_done)>;

recipe::Recipe saving_recipe(const std::filesystem::path& images, double save_minutes) {
  recipe::Recipe recipe = test::tiny_recipe(images.string());
  recipe.backbone.depth = 2;        // the first block never drops
  recipe.backbone.drop_path = 0.5;  // draws from the generator, whose state must come back too
  recipe.train.save_minutes = save_minutes;
  return recipe;
}

/** Trains in a child process; returns its wait status. Exit code 0: finished, 3: an error. */
int train_in_child(const std::filesystem::path& root, const recipe::Recipe& recipe,
                   const OnStep& on_step = {}) {
  const pid_t child = fork();
  if (child == 0) {
    const rlimit no_core{0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    at::set_num_threads(1);
    try {
      TrainHooks hooks;
      if (on_step) hooks.progress = [&](const Progress& progress) { on_step(progress.iteration); };
      TrainRequest request;
      request.recipe = recipe;
      request.directory = root;
      request.resume = run::RunLayout{root}.holds_run();
      train(request, hooks, {});
    } catch (const std::exception& error) {
      std::fprintf(stderr, "%s\n", error.what());
      _exit(3);
    }
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return status;
}

bool finished(int status) {
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}
bool killed_by(int status, int signal) {
  return WIFSIGNALED(status) && WTERMSIG(status) == signal;
}

std::optional<run::Checkpoint> newest(const std::filesystem::path& root) {
  return run::CheckpointStore(run::RunLayout{root}.checkpoints(), 3).newest();
}

/** Names the first tensor in which the last checkpoints of two runs differ; "" if none does. */
std::string first_difference(const std::filesystem::path& a, const std::filesystem::path& b) {
  const auto left = newest(a), right = newest(b);
  if (!left || !right) return "no checkpoint";
  if (left->info.iteration != right->info.iteration) return "iteration";
  if (left->file.tensors().size() != right->file.tensors().size()) return "number of tensors";
  for (const auto& tensor : left->file.tensors()) {
    const auto* other = right->file.find(tensor.name);
    if (other == nullptr || !std::ranges::equal(tensor.bytes, other->bytes)) return tensor.name;
  }
  return "";
}

class ResumeTest : public ::testing::Test {
 protected:
  ResumeTest() {
    test::write_noise_folder(temp_ / "images", 32);
    EXPECT_TRUE(finished(train_in_child(temp_ / "whole", recipe(10))));
  }
  recipe::Recipe recipe(double save_minutes) const {
    return saving_recipe(temp_ / "images", save_minutes);
  }
  void resume_and_compare(const std::filesystem::path& root) {
    EXPECT_TRUE(finished(train_in_child(root, recipe(10))));
    EXPECT_EQ(first_difference(root, temp_ / "whole"), "");
    EXPECT_EQ(read_text_file(run::RunLayout{root}.teacher_weights()),
              read_text_file(run::RunLayout{temp_ / "whole"}.teacher_weights()));
  }
  test::TempDir temp_;
};

constexpr double kEveryStep = 1e-9;  // minutes between checkpoints

TEST_F(ResumeTest, AKillAtARandomStepChangesNothing) {
  const auto kill_at = static_cast<std::int64_t>(std::random_device{}() % 19 + 1);
  SCOPED_TRACE(fmt::format("killed after step {}", kill_at));
  const int status =
      train_in_child(temp_ / "run", recipe(kEveryStep), [&](std::int64_t steps_done) {
        if (steps_done == kill_at) kill(getpid(), SIGKILL);
      });
  ASSERT_TRUE(killed_by(status, SIGKILL));
  resume_and_compare(temp_ / "run");
}

TEST_F(ResumeTest, AKillBeforeTheFirstCheckpointStartsAgain) {
  const int status = train_in_child(temp_ / "run", recipe(10), [](std::int64_t steps_done) {
    if (steps_done == 7) kill(getpid(), SIGKILL);
  });
  ASSERT_TRUE(killed_by(status, SIGKILL));
  ASSERT_FALSE(newest(temp_ / "run"));
  resume_and_compare(temp_ / "run");
}

// SIGXFSZ ends the process at the byte that passes the limit: in the middle of writing the
// checkpoint of step 9.
TEST_F(ResumeTest, AKillInTheMiddleOfACheckpointFallsBackToTheOneBefore) {
  const int status = train_in_child(temp_ / "run", recipe(kEveryStep), [](std::int64_t steps_done) {
    if (steps_done != 9) return;
    const rlimit limit{30000, 30000};
    setrlimit(RLIMIT_FSIZE, &limit);
  });
  ASSERT_TRUE(killed_by(status, SIGXFSZ));
  const auto checkpoint = newest(temp_ / "run");
  ASSERT_TRUE(checkpoint);
  EXPECT_EQ(checkpoint->info.iteration, 8);
  resume_and_compare(temp_ / "run");
}

TEST_F(ResumeTest, ATruncatedNewestCheckpointIsPassedOver) {
  ASSERT_TRUE(killed_by(train_in_child(temp_ / "run", recipe(kEveryStep),
                                       [](std::int64_t steps_done) {
                                         if (steps_done == 12) kill(getpid(), SIGKILL);
                                       }),
                        SIGKILL));
  const auto damaged = newest(temp_ / "run")->path;
  std::filesystem::resize_file(damaged, std::filesystem::file_size(damaged) / 2);
  resume_and_compare(temp_ / "run");
}

// Kills by the clock, so that they fall anywhere: into a step, a checkpoint, a line of metrics. The
// run is resumed until it ends by itself.
TEST(ResumeSlow, KillsAtAnyMomentChangeNothing) {
  const test::TempDir temp;
  test::write_noise_folder(temp / "images", 32);
  const auto recipe = saving_recipe(temp / "images", kEveryStep);
  ASSERT_TRUE(finished(train_in_child(temp / "whole", recipe)));
  std::random_device random;
  for (int run = 0; run < 20; ++run) {
    const auto root = temp / fmt::format("run_{}", run);
    int kills = 0, status = 0;
    std::string moments;  // microseconds after the first step of each session
    do {
      const useconds_t after =
          random() % 200000 * static_cast<useconds_t>(1 + kills);  // later each time, so it ends
      moments += fmt::format(" {}", after);
      status = train_in_child(root, recipe, [after, armed = false](std::int64_t) mutable {
        if (armed) return;
        armed = true;
        std::signal(SIGALRM, [](int) { kill(getpid(), SIGKILL); });
        ualarm(std::max<useconds_t>(after % 1000000, 1), 0);
      });
    } while (killed_by(status, SIGKILL) && ++kills < 50);
    EXPECT_TRUE(finished(status));
    EXPECT_EQ(first_difference(root, temp / "whole"), "") << "kills at" << moments;
  }
}

}  // namespace
}  // namespace dino::train
