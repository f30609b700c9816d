// Streams and the loader on them: gzipped shards, commands, and what goes wrong with both.
#include "dino/data/sources/image_stream.h"

#include <signal.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "dino/data/loading/loader.h"
#include "dino/data/sources/brace_range.h"
#include "tests/data/source_folder.h"

namespace dino::data {
namespace {

using Names = std::vector<std::string>;

std::string quoted(const std::string& path) {
  return "'" + path + "'";
}

/** Writes s-0.tar.gz ... of `per_shard` images each, named by number. */
void write_shards(const SourceFolder& temp, int shards, int per_shard) {
  int number = 0;
  for (int s = 0; s < shards; ++s) {
    Members members;
    for (int i = 0; i < per_shard; ++i, ++number) {
      members.emplace_back(fmt::format("{:03}.png", number), png(number));
      members.emplace_back(fmt::format("{:03}.cls", number), "x");
    }
    temp.write(fmt::format("s-{}.tar.gz", s), gzipped(tar(members)));
    temp.write(fmt::format("s-{}.tar", s), tar(members));
  }
}

/** The member names of `count` images of an epoch. */
Names drawn(const ImageStream& stream, const StreamPosition& position, int count) {
  const BadSink none = [](const std::string& name, const Error&) { ADD_FAILURE() << name; };
  StreamEpoch epoch(stream, position, {}, none);
  Names names;
  for (int i = 0; i < count; ++i) {
    const std::string name = epoch.next().value().name;
    names.push_back(name.substr(name.find('#') + 1));
  }
  return names;
}

TEST(Braces, StandForManyNames) {
  EXPECT_EQ(expand_braces("plain"), Names{"plain"});
  EXPECT_EQ(expand_braces("a-{08..11}.tar"),
            (Names{"a-08.tar", "a-09.tar", "a-10.tar", "a-11.tar"}));
  EXPECT_EQ(expand_braces("{1..2}/{0..1}"), (Names{"1/0", "1/1", "2/0", "2/1"}));
  EXPECT_EQ(expand_braces("awk '{print}' {x}{..}{1..}"), Names{"awk '{print}' {x}{..}{1..}"});
  for (const char* wrong :
       {"{5..4}", "{0..9999999}", "{0..999999}{0..9}", "{0..999999999999999999}"})
    refusal_of(ErrorKind::Data, [&] { expand_braces(wrong); });
}

TEST(Stream, ARoundGivesEachImageOnceInItsOwnOrder) {
  const SourceFolder temp;
  write_shards(temp, 3, 4);
  for (const std::string& source :
       {temp / "s-{0..2}.tar.gz", "pipe:cat " + quoted(temp / "s-{0..2}.tar")}) {
    for (const int buffer : {1, 5, 100}) {
      const ImageStream stream(source, {.channels = 1, .inputs = {}, .shuffle_buffer = buffer});
      EXPECT_EQ(stream.shards().size(), 3u);
      const Names two_rounds = drawn(stream, {.seed = 1, .epoch = 0}, 24);
      Names first(two_rounds.begin(), two_rounds.begin() + 12),
          second(two_rounds.begin() + 12, two_rounds.end());
      EXPECT_NE(first, second);
      EXPECT_EQ(std::set(first.begin(), first.end()).size(), 12u);
      EXPECT_EQ(std::set(second.begin(), second.end()).size(), 12u);
      EXPECT_EQ(drawn(stream, {.seed = 1, .epoch = 0}, 24), two_rounds);
      EXPECT_NE(drawn(stream, {.seed = 1, .epoch = 1}, 24), two_rounds);
      EXPECT_NE(drawn(stream, {.seed = 2, .epoch = 0}, 24), two_rounds);
    }
  }
}

TEST(Stream, RanksReadDifferentShards) {
  const SourceFolder temp;
  write_shards(temp, 5, 2);
  const ImageStream stream(temp / "s-{0..4}.tar.gz", {.channels = 1, .inputs = {}});
  const Names zero = drawn(stream, {.seed = 1, .rank = 0, .world_size = 2}, 6),
              one = drawn(stream, {.seed = 1, .rank = 1, .world_size = 2}, 4);
  std::set<std::string> all(zero.begin(), zero.end());
  all.insert(one.begin(), one.end());
  EXPECT_EQ(all.size(), 10u);
  const BadSink none = [](const std::string&, const Error&) {};
  says(refusal_of(ErrorKind::Data,
                  [&] { StreamEpoch(stream, {.rank = 0, .world_size = 6}, {}, none); }),
       "5 shards");
}

TEST(Stream, DamagedShardsAreReportedAndTheOthersRead) {
  const SourceFolder temp;
  write_shards(temp, 5, 3);
  const std::string good = gzipped(tar({{"a.png", png(1)}, {"b.png", png(2)}}));
  temp.write("s-0.tar.gz", "");
  temp.write("s-1.tar.gz", good.substr(0, good.size() / 2));
  temp.write("s-2.tar.gz", "not gzip, not tar");
  std::string wrong_sum = good;
  wrong_sum[good.size() - 6] ^= 1;
  temp.write("s-3.tar.gz", wrong_sum);
  const ImageStream stream(temp / "s-{0..4}.tar.gz", {.channels = 1, .inputs = {}});
  std::map<std::string, std::string> bad;
  const BadSink sink = [&](const std::string& name, const Error& error) {
    bad[name] = error.what();
  };
  StreamEpoch epoch(stream, {.seed = 1}, {}, sink);
  std::set<std::string> names;
  for (int i = 0; i < 5; ++i) names.insert(epoch.next()->name);
  EXPECT_EQ(names.size(), 5u) << "three of the last shard, two of the one with a wrong sum";
  ASSERT_EQ(bad.size(), 4u);
  says(bad[temp / "s-0.tar.gz"], "is empty");
  says(bad[temp / "s-1.tar.gz"], "cut short");
  says(bad[temp / "s-2.tar.gz"], "cut short");
  says(bad[temp / "s-3.tar.gz"], "damaged");
}

TEST(Stream, WhatNeverGivesAnImageStops) {
  const SourceFolder temp;
  const BadSink sink = [](const std::string&, const Error&) {};
  for (const std::string& source :
       {temp.write("e.tar.gz", gzipped(tar({{"a.txt", "no image"}}))), std::string("pipe:true"),
        std::string("pipe:echo this is no tar")}) {
    const ImageStream stream(source, {.channels = 1, .inputs = {}});
    StreamEpoch epoch(stream, {.seed = 1}, {}, sink);
    says(refusal_of(ErrorKind::Data, [&] { epoch.next(); }), "no image");
  }
  refusal_of(ErrorKind::Data, [] { ImageStream("pipe: ", {}); });
  says(refusal_of(ErrorKind::Io, [&] { ImageStream(temp / "x-{0..1}.tar.gz", {}); }), "x-0.tar.gz");
}

// ---- the loader on a stream

MultiCropOptions tiny_crops() {
  MultiCropOptions crops;
  crops.global_size = 6;
  crops.local_size = 4;
  crops.local_count = 2;
  crops.mean = {0.5};
  crops.std = {0.25};
  return crops;
}

LoaderOptions options(int workers, std::int64_t first = 0) {
  return {.batch_size = 5,
          .channels = 1,
          .seed = 3,
          .workers = workers,
          .max_bad_share = 0.5,
          .first_iteration = first,
          .epoch_images = 20};
}

std::vector<std::vector<float>> run(const ImageStream& stream, const LoaderOptions& how,
                                    int count) {
  Loader loader(stream, tiny_crops(), how);
  std::vector<std::vector<float>> batches;
  for (int i = 0; i < count; ++i) {
    const CropBatch batch = loader.next();
    EXPECT_EQ(batch.iteration, how.first_iteration + i);
    batches.emplace_back(batch.globals.data(), batch.globals.data() + batch.globals.size());
    batches.back().insert(batches.back().end(), batch.locals.data(),
                          batch.locals.data() + batch.locals.size());
  }
  return batches;
}

TEST(StreamLoader, BytesDoNotDependOnWorkersAndResumingEqualsNeverHavingStopped) {
  const SourceFolder temp;
  write_shards(temp, 4, 7);
  temp.write("s-2.tar.gz",
             gzipped(tar({{"a.png", png(1)}, {"bad.png", "text"}, {"c.png", png(9)}})));
  const ImageStream stream(temp / "s-{0..3}.tar.gz",
                           {.channels = 1, .inputs = {}, .shuffle_buffer = 6});
  const auto whole = run(stream, options(2), 10);  // epochs of 4 batches
  for (const int workers : {0, 1, 7})
    EXPECT_EQ(run(stream, options(workers), 10), whole) << workers;
  for (const int first : {1, 4, 6}) {
    const auto tail = run(stream, options(2, first), 10 - first);
    EXPECT_TRUE(std::equal(tail.begin(), tail.end(), whole.begin() + first)) << first;
  }
}

TEST(StreamLoader, BadImagesAndShardsAreCountedOnceByReason) {
  const SourceFolder temp;
  write_shards(temp, 3, 6);
  temp.write("s-1.tar.gz", gzipped(tar({{"e.png", ""}, {"t.png", "text"}, {"good.png", png(3)}})));
  temp.write("s-2.tar.gz", "no archive");
  const ImageStream stream(temp / "s-{0..2}.tar.gz", {.channels = 1, .inputs = {}});
  Loader loader(stream, tiny_crops(), options(3));
  for (int i = 0; i < 12; ++i) loader.next();
  const LoaderStats stats = loader.stats();
  EXPECT_EQ(stats.bad_count, 3);
  EXPECT_EQ(bad_reasons(stats.bad_by_reason), "1 empty, 1 not_an_image, 1 truncated");
  EXPECT_EQ(loader.take_bad().size(), 3u);
  EXPECT_TRUE(loader.take_bad().empty());
}

TEST(StreamLoader, NeedsTheLengthOfAnEpoch) {
  const SourceFolder temp;
  write_shards(temp, 1, 6);
  const ImageStream stream(temp / "s-0.tar.gz", {.channels = 1, .inputs = {}});
  LoaderOptions how = options(1);
  how.epoch_images = 0;
  says(refusal_of(ErrorKind::Data, [&] { Loader(stream, tiny_crops(), how); }),
       "data.epoch_images");
}

TEST(StreamLoader, ACommandThatFailsStopsTheRunWithItsReason) {
  const SourceFolder temp;
  write_shards(temp, 1, 6);
  const std::string shard = quoted(temp / "s-0.tar");
  for (const auto& [command, reason] :
       {std::pair{"cat " + shard + "; echo no such bucket >&2; exit 3", "status 3: no such bucket"},
        std::pair{"head -c 3000 " + shard + "; kill -9 $$", "killed by signal 9"},
        std::pair{std::string("no-such-program"), "status 127"}}) {
    const ImageStream stream("pipe:" + command, {.channels = 1, .inputs = {}});
    for (const int workers : {0, 2})
      says(refusal_of(ErrorKind::Data, [&] { run(stream, options(workers), 1000); }), reason);
  }
}

/** What came before the failure is given first, however far the loader is ahead. */
TEST(StreamLoader, AFailingCommandFailsAtTheSameStepWhateverTheWorkers) {
  const SourceFolder temp;
  write_shards(temp, 1, 40);
  const std::string shard = quoted(temp / "s-0.tar");
  // Reads the shard once, then fails for ever.
  const std::string once = quoted(temp / "once");
  std::vector<int> given;
  for (const int workers : {0, 1, 3}) {
    std::filesystem::remove(temp / "once");
    const ImageStream stream(
        "pipe:test ! -e " + once + " || exit 3; touch " + once + "; cat " + shard,
        {.channels = 1, .inputs = {}, .shuffle_buffer = 1});
    LoaderOptions how = options(workers);
    how.epoch_images = 400;
    Loader loader(stream, tiny_crops(), how);
    int& count = given.emplace_back(0);
    const auto next = [&] { loader.next(); };
    says(refusal_of(ErrorKind::Data,
                    [&] {
                      for (; count < 1000; ++count) next();
                    }),
         "status 3");
    says(refusal_of(ErrorKind::Data, next), "status 3");
  }
  EXPECT_GT(given[0], 1);
  EXPECT_EQ(given[1], given[0]);
  EXPECT_EQ(given[2], given[0]);
}

TEST(Stream, ReadsArchivesWithinArchivesAndWhatFollowsDamage) {
  const SourceFolder temp;
  std::string cut = tar({{"x.png", png(4)}, {"y.png", png(5)}});
  cut[1024] ^= 0x11;  // the second header
  temp.write("all.tar.gz", gzipped(tar({{"n01.tar", tar({{"a.png", png(1)}, {"b.jfif", png(2)}})},
                                        {"n02.tar", cut},
                                        {"plain", png(3)},
                                        {"words", "no image"}})));
  const ImageStream stream(temp / "all.tar.gz", {.channels = 1, .inputs = {}});
  EXPECT_EQ(names_in(*first_images(stream, 10)),
            (std::vector<std::string>{"n01/a.png", "n01/b.jfif", "n02/x.png", "plain"}));
}

TEST(StreamLoader, AStopEndsTheWaitForACommandThatSaysNothing) {
  const ImageStream stream("pipe:exec sleep 1000", {.channels = 1, .inputs = {}});
  for (const int workers : {0, 2}) {
    std::stop_source stop;
    LoaderOptions how = options(workers);
    how.stop = stop.get_token();
    Loader loader(stream, tiny_crops(), how);
    std::jthread interrupter([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      stop.request_stop();
    });
    EXPECT_THROW(loader.next(), Stopped);
  }
}

TEST(StreamLoader, ACommandKilledFromOutsideIsReported) {
  const SourceFolder temp;
  write_shards(temp, 1, 20);
  // Gives some images, writes its number, then waits for ever.
  const ImageStream stream(fmt::format("pipe:echo $$ > '{0}'; head -c 12000 '{1}'; exec sleep 1000",
                                       temp / "pid", temp / "s-0.tar"),
                           {.channels = 1, .inputs = {}, .shuffle_buffer = 1});
  Loader loader(
      stream, tiny_crops(),
      {.batch_size = 2, .channels = 1, .workers = 1, .batches_ahead = 1, .epoch_images = 20});
  loader.next();
  int pid = 0;
  std::ifstream(temp / "pid") >> pid;
  ASSERT_GT(pid, 1);
  ::kill(pid, SIGKILL);
  says(refusal_of(ErrorKind::Data,
                  [&] {
                    for (int i = 0; i < 20; ++i) loader.next();
                  }),
       "killed by signal 9");
}

TEST(StreamLoader, CanBeDestroyedWhileItsCommandHangs) {
  const SourceFolder temp;
  write_shards(temp, 1, 20);
  const ImageStream stream("pipe:cat " + quoted(temp / "s-0.tar") + " | head -c 16000; sleep 1000",
                           {.channels = 1, .inputs = {}, .shuffle_buffer = 1});
  Loader loader(
      stream, tiny_crops(),
      {.batch_size = 2, .channels = 1, .workers = 2, .batches_ahead = 1, .epoch_images = 20});
  loader.next();
}

TEST(FirstImages, AreInTheOrderOfTheShards) {
  const SourceFolder temp;
  write_shards(temp, 2, 3);
  const ImageStream stream(temp / "s-{0..1}.tar.gz", {.channels = 1, .inputs = {}});
  EXPECT_EQ(names_in(*first_images(stream, 4)),
            (Names{"000.png", "001.png", "002.png", "003.png"}));
  EXPECT_EQ(values_in(*first_images(stream, 100)), (std::vector<int>{0, 1, 2, 3, 4, 5}));
}

}  // namespace
}  // namespace dino::data
