// What a training leaves in its folder, and that ranks which only join leave nothing.
#include "dino/run/recorder.h"

#include <gtest/gtest.h>

#include <array>
#include <set>

#include "dino/base/file.h"
#include "dino/base/json.h"
#include "dino/run/metric_table.h"
#include "tests/temp_dir.h"

namespace dino::run {
namespace {

std::set<std::string> files_in(const std::filesystem::path& root) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root))
    if (entry.is_regular_file()) names.insert(entry.path().filename().string().substr(0, 19));
  names.erase(".lock");
  return names;
}

/** Everything that can be recorded, once. */
void record_all(Recorder& recorder) {
  const std::vector<Metric> metrics = {{.name = "loss", .title = "Loss", .unit = "nats"}};
  recorder.begin_session("name = \"x\"\n", {{"host", "here"}}, metrics);
  recorder.append_metrics(3, {{"iteration", 3}, {"loss", 1.5}});
  const std::array bad = {data::BadFile{.name = "a.jpg", .message = "cut short"}};
  recorder.add_bad_files(bad);
  CheckpointInfo info;
  info.iteration = 3;
  const std::vector<float> values(4);
  const std::array tensors = {
      format::TensorRecord{.name = "x", .shape = {4}, .bytes = std::as_bytes(std::span(values))}};
  recorder.save_checkpoint(info, tensors);
  recorder.save_by([](const auto& path) { write_file_atomically(path, "weights"); },
                   recorder.layout().teacher_weights());
  recorder.save_summary({{"loss", 1.5}});
}

TEST(Recorder, TheRankThatWritesLeavesEverything) {
  const test::TempDir temp;
  const RunDir run = RunDir::create(temp / "run", false);
  ASSERT_TRUE(run.is_writer());
  Recorder recorder(run, 0, 3, {});
  record_all(recorder);
  EXPECT_EQ(recorder.bad_count(), 1);
  EXPECT_EQ(files_in(temp / "run"),
            (std::set<std::string>{"recipe.toml", "env.json", "figures.json", "metrics.jsonl",
                                   "bad_files.jsonl", "summary.json", "events.out.tfevents",
                                   "step_00000003.safet", "backbone_teacher.sa"}));
  const auto figures = metrics_from_json(read_json_file(run.layout().figures()));
  ASSERT_EQ(figures.size(), 1U);
  EXPECT_EQ(figures[0].unit, "nats");
}

TEST(Recorder, ARankThatJoinedWritesNothing) {
  const test::TempDir temp;
  const RunDir writer = RunDir::create(temp / "run", false);
  const RunDir joined = RunDir::join(temp / "run");
  EXPECT_FALSE(joined.is_writer());
  const auto before = files_in(temp / "run");
  Recorder recorder(joined, 0, 3, {});
  record_all(recorder);
  EXPECT_EQ(recorder.bad_count(), 0);
  EXPECT_EQ(files_in(temp / "run"), before);
}

TEST(Recorder, SessionsOfARunAreListedAndItsMetricsGoOn) {
  const test::TempDir temp;
  const RunDir run = RunDir::create(temp / "run", false);
  {
    Recorder first(run, 0, 3, {});
    record_all(first);
    first.append_metrics(6, {{"iteration", 6}});
  }
  Recorder second(run, 3, 3, {});
  second.begin_session("name = \"y\"\n", {{"host", "there"}}, {});
  EXPECT_EQ(read_json_file(run.layout().env()).at("sessions").size(), 2U);
  EXPECT_EQ(read_text_file(run.layout().metrics()), "{\"iteration\":3,\"loss\":1.5}\n");
}

TEST(Recorder, GoesOnBesideDamagedFilesOfARun) {
  const test::TempDir temp;
  const RunDir run = RunDir::create(temp / "run", false);
  for (const char* sessions : {"{\"sessions\":3}", "null", "[", "{}"}) {
    write_file_atomically(run.layout().env(), std::string_view(sessions));
    write_file_atomically(run.layout().metrics(),
                          std::string_view("{\"iteration\":\"1\"}\n{\"iteration\":null}\n"
                                           "{\"iteration\":2}\n{}\n{\"iteration\":[1]}\n"));
    Recorder recorder(run, 3, 3, {});
    recorder.begin_session("x", {{"host", "here"}}, {});
    EXPECT_EQ(read_json_file(run.layout().env()).at("sessions").size(), 1U) << sessions;
    EXPECT_EQ(read_text_file(run.layout().metrics()), "{\"iteration\":2}\n") << sessions;
  }
}

TEST(MetricTable, SaysAllThatAReaderNeeds) {
  const std::vector<Metric> metrics = {
      {.name = "a", .title = "A", .unit = "%", .scale = 100, .from_zero = false},
      {.name = "b", .title = "B", .reference = 2.5, .reference_label = "two and a half"}};
  const auto back = metrics_from_json(metrics_to_json(metrics));
  ASSERT_EQ(back.size(), 2U);
  EXPECT_EQ(back[0].scale, 100);
  EXPECT_FALSE(back[0].from_zero);
  EXPECT_FALSE(back[0].reference);
  EXPECT_EQ(back[1].reference, 2.5);
  EXPECT_EQ(back[1].reference_label, "two and a half");
  EXPECT_TRUE(back[1].from_zero);
}

}  // namespace
}  // namespace dino::run
