// The loop itself, with a learner that only digests pixels.
#include "dino/train/trainer.h"

#include <gtest/gtest.h>

#include <optional>
#include <sstream>

#include "dino/base/error.h"
#include "tests/temp_dir.h"
#include "tests/train/digest_learner.h"
#include "tests/train/tiny_run.h"

namespace dino::train {
namespace {

std::vector<nlohmann::json> metric_lines(const std::filesystem::path& path) {
  std::vector<nlohmann::json> lines;
  std::istringstream text(read_text_file(path));
  for (std::string line; std::getline(text, line);) lines.push_back(nlohmann::json::parse(line));
  return lines;
}

/** Lines without what depends on the clock. */
std::vector<nlohmann::json> timeless(std::vector<nlohmann::json> lines) {
  for (nlohmann::json& line : lines)
    for (const char* key : {"seconds", "images_per_second", "data_wait_share"}) line.erase(key);
  return lines;
}

/** One session of a run on 32 noise images (4 steps an epoch, 20 steps); continues if the directory
 * holds a checkpoint. */
class Session {
 public:
  explicit Session(const std::filesystem::path& root, recipe::Recipe recipe = test::tiny_recipe(),
                   std::vector<std::int64_t> bad = {})
      : recipe_(std::move(recipe)),
        dataset_(32, std::move(bad)),
        run_(run::RunLayout{root}.holds_run() ? run::RunDir::open(root)
                                              : run::RunDir::create(root, false)) {
    run::CheckpointInfo info;
    if (const auto checkpoint = run::CheckpointStore(run_.layout().checkpoints(), 3).newest()) {
      info = checkpoint->info;
      learner.load_state(checkpoint->file.tensors());
    }
    loader_.emplace(dataset_, recipe_.crops,
                    data::LoaderOptions{.batch_size = recipe_.train.batch_size,
                                        .channels = 1,
                                        .seed = recipe_.seed,
                                        .workers = 1,
                                        .max_bad_share = 0.5,
                                        .first_iteration = info.iteration});
    info.iterations_per_epoch = loader_->iterations_per_epoch();
    start_ = info;
  }

  Outcome train() {
    recorder_.emplace(run_, start_.iteration, recipe_.train.keep_last, hooks.log);
    recorder_->begin_session(recipe::to_toml(recipe_), nlohmann::json::object(),
                             metrics_of(learner));
    trainer.emplace(recipe_, learner, *loader_, *recorder_, start_, hooks);
    return trainer->run(stop.get_token());
  }
  run::RunLayout layout() const { return run_.layout(); }

  test::DigestLearner learner;
  TrainerHooks hooks;
  std::stop_source stop;
  std::optional<Trainer> trainer;

 private:
  recipe::Recipe recipe_;
  test::NoiseDataset dataset_;
  run::RunDir run_;
  std::optional<run::Recorder> recorder_;
  std::optional<data::Loader> loader_;
  run::CheckpointInfo start_;
};

TEST(Trainer, RunsToTheEndAndLeavesMetricsAndACheckpoint) {
  const test::TempDir temp;
  Session session(temp / "run");
  int progress_calls = 0;
  session.hooks.progress = [&](const Progress& progress) {
    EXPECT_EQ(progress.iteration, ++progress_calls);
    EXPECT_EQ(progress.total, 20);
    ASSERT_EQ(progress.figures.size(), 1U) << "what the learner describes is shown";
    EXPECT_EQ(progress.figures[0].word, "bright");
    EXPECT_GE(progress.figures[0].value, 1);
  };
  EXPECT_EQ(session.train(), Outcome::Finished);
  EXPECT_EQ(progress_calls, 20);
  EXPECT_EQ(session.trainer->info().images, 160);
  std::vector<std::int64_t> iterations;
  for (const auto& line : metric_lines(session.layout().metrics())) {
    iterations.push_back(line["iteration"]);
    EXPECT_GE(line["brightness"], 1);
    EXPECT_EQ(line["lr"], 1.0 / line["iteration"].get<double>()) << "of the last step of the line";
  }
  EXPECT_EQ(iterations, (std::vector<std::int64_t>{3, 6, 9, 12, 15, 18, 20}));
  EXPECT_EQ(run::CheckpointStore(session.layout().checkpoints(), 3).newest()->info.iteration, 20);
}

// Method B.12: stopping anywhere and resuming equals never having stopped, in state and in metrics.
TEST(Trainer, AStopAtAnyStepAndAResumeChangeNothing) {
  const test::TempDir temp;
  Session whole(temp / "whole");
  whole.train();
  const auto lines = timeless(metric_lines(whole.layout().metrics()));
  for (std::int64_t stop_at = 1; stop_at < 20; stop_at += 4) {
    const auto root = temp / fmt::format("stopped_{}", stop_at);
    {
      Session first(root);
      first.learner.on_step = [&](std::int64_t iteration) {
        if (iteration + 1 == stop_at) first.stop.request_stop();
      };
      ASSERT_EQ(first.train(), Outcome::Interrupted);
      ASSERT_EQ(first.trainer->info().iteration, stop_at);
    }
    Session second(root);
    EXPECT_EQ(second.train(), Outcome::Finished);
    EXPECT_EQ(second.learner.digest(), whole.learner.digest()) << stop_at;
    EXPECT_EQ(timeless(metric_lines(second.layout().metrics())), lines) << stop_at;
    EXPECT_EQ(second.trainer->info().images, 160);
  }
}

TEST(Trainer, TheSecondsOfAllSessionsAreCounted) {
  const test::TempDir temp;
  double first_seconds = 0;
  {
    Session first(temp / "run");
    first.learner.on_step = [&](std::int64_t iteration) {
      if (iteration == 4) first.stop.request_stop();
    };
    first.train();
    first_seconds = first.trainer->info().total_seconds;
    EXPECT_GT(first_seconds, 0);
  }
  Session second(temp / "run");
  second.stop.request_stop();  // a session that does next to nothing
  second.train();
  EXPECT_GE(second.trainer->info().total_seconds, first_seconds);
}

TEST(Trainer, KnnRunsEachEpochAndTheBestIsKept) {
  const test::TempDir temp;
  recipe::Recipe recipe = test::tiny_recipe();
  recipe.train.keep_last = 1;
  Session session(temp / "run", recipe);
  std::vector<double> figures = {0.2, 0.6, 0.5, 0.6, 0.3};  // an equal one is no better
  std::size_t calls = 0;
  session.hooks.knn = [&] { return figures.at(calls++); };
  std::vector<std::string> weights;
  session.hooks.save_teacher_weights = [&](const std::filesystem::path& path) {
    weights.push_back(path.stem());
  };
  EXPECT_EQ(session.train(), Outcome::Finished);
  EXPECT_EQ(calls, 5U);
  EXPECT_EQ(session.trainer->info().best_knn, 0.6);
  EXPECT_EQ(session.trainer->info().best_iteration, 8);
  EXPECT_EQ(session.trainer->info().last_knn, 0.3);
  EXPECT_EQ(std::ranges::count(weights, "backbone_teacher_best"), 2);
  EXPECT_EQ(weights.back(), "backbone_teacher");
  std::vector<std::string> kept;
  for (const auto& path : run::CheckpointStore(session.layout().checkpoints(), 1).list())
    kept.push_back(path.stem());
  EXPECT_EQ(kept, (std::vector<std::string>{"step_00000008", "step_00000020"}));
}

TEST(Trainer, KnnIsNotRepeatedAfterAResumeRightBehindIt) {
  const test::TempDir temp;
  int calls = 0;
  for (int session_number = 0; session_number < 2; ++session_number) {
    Session session(temp / "run");
    session.hooks.knn = [&] {
      ++calls;
      if (session_number == 0)
        session.stop.request_stop();  // a figure, then Ctrl-C before the next step
      return 0.5;
    };
    session.train();
  }
  EXPECT_EQ(calls, 5);
}

TEST(Trainer, StepsThatAreNotFiniteAreSkippedAndCounted) {
  const test::TempDir temp;
  Session session(temp / "run");
  std::vector<std::string> messages;
  session.hooks.log = [&](LogLevel, std::string_view text) { messages.emplace_back(text); };
  session.learner.is_bad = [](std::int64_t iteration) {
    return iteration == 4 || iteration == 5 || iteration == 11;
  };
  EXPECT_EQ(session.train(), Outcome::Finished);
  EXPECT_EQ(session.trainer->info().skipped_steps, 3);
  EXPECT_EQ(
      std::ranges::count_if(
          messages, [](const auto& text) { return text.find("skipped") != std::string::npos; }),
      2);
  EXPECT_TRUE(session.trainer->alarms().contains("step_skipped"));
}

TEST(Trainer, ManyStepsInARowThatAreNotFiniteEndTheRun) {
  const test::TempDir temp;
  Session session(temp / "run");
  session.learner.is_bad = [](std::int64_t iteration) { return iteration >= 2; };
  EXPECT_THROW(session.train(), Error);
}

TEST(Trainer, ATimeLimitEndsCleanly) {
  const test::TempDir temp;
  recipe::Recipe recipe = test::tiny_recipe();
  recipe.train.max_minutes = 1e-9;
  Session session(temp / "run", recipe);
  EXPECT_EQ(session.train(), Outcome::TimeLimit);
  EXPECT_TRUE(run::CheckpointStore(session.layout().checkpoints(), 3).newest());
}

TEST(Trainer, BadImagesAreListedOnceInTheRun) {
  const test::TempDir temp;
  Session session(temp / "run", test::tiny_recipe(), {3, 17});
  EXPECT_EQ(session.train(), Outcome::Finished);
  EXPECT_EQ(session.trainer->info().bad_images, 2);
  std::istringstream text(read_text_file(session.layout().bad_files()));
  std::set<std::string> names;
  std::size_t count = 0;
  for (std::string text_line; std::getline(text, text_line); ++count) {
    const auto line = nlohmann::json::parse(text_line);
    names.insert(line.at("name"));
    EXPECT_EQ(line.at("reason"), "corrupt");
    EXPECT_NE(line.at("message"), "");
  }
  EXPECT_EQ(count, 2U);
  EXPECT_EQ(names.size(), 2U);
}

}  // namespace
}  // namespace dino::train
