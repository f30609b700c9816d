#include "dino/data/loading/loader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <barrier>
#include <mutex>
#include <set>
#include <thread>

#include "dino/base/error.h"
#include "dino/data/loading/sampler.h"
#include "dino/image/pixels/kernels_for_testing.h"
#include "tests/data/fake_data.h"
#include "tests/data/source_folder.h"

namespace dino::data {
namespace {

MultiCropOptions tiny_crops(int channels) {
  MultiCropOptions crops;
  crops.global_size = 6;
  crops.local_size = 4;
  crops.local_count = 3;
  crops.mean.assign(static_cast<std::size_t>(channels), 0.5);
  crops.std.assign(static_cast<std::size_t>(channels), 0.25);
  return crops;
}

LoaderOptions options(int workers, std::int64_t first = 0) {
  return {.batch_size = 5, .channels = 1, .seed = 3, .workers = workers, .first_iteration = first};
}

/** Everything a batch holds, as one comparable value. */
struct Content {
  std::int64_t iteration;
  std::vector<std::int64_t> indices;
  std::vector<float> globals, locals, teacher_globals, gram;
  BatchMasks masks;
  bool operator==(const Content&) const = default;
};

Content content(const CropBatch& batch) {
  const auto values = [](const AlignedBuffer& buffer) {
    return std::vector<float>(buffer.data(), buffer.data() + buffer.size());
  };
  return {batch.iteration,
          batch.indices,
          values(batch.globals),
          values(batch.locals),
          values(batch.teacher_globals),
          values(batch.gram),
          batch.masks};
}

std::vector<Content> run(const Dataset& data, const LoaderOptions& how, int count,
                         const MultiCropOptions& crops) {
  Loader loader(data, crops, how);
  std::vector<Content> batches;
  for (int i = 0; i < count; ++i) {
    CropBatch batch = loader.next();
    batches.push_back(content(batch));
    loader.recycle(std::move(batch));
  }
  return batches;
}

std::vector<Content> run(const Dataset& data, const LoaderOptions& how, int count) {
  return run(data, how, count, tiny_crops(how.channels));
}

TEST(Loader, BytesDoNotDependOnTheNumberOfWorkers) {
  const FakeData data(23, {2, 3, 22});
  LoaderOptions how = options(0);
  how.max_bad_share = 1;
  const auto expected = run(data, how, 12);  // three epochs
  for (const int workers : {1, 2, 7}) {
    how.workers = workers;
    EXPECT_EQ(run(data, how, 12), expected) << workers;
  }
}

/** Everything DINOv3's stages ask for at once, in color. */
LoaderOptions everything(int workers, std::int64_t first = 0) {
  LoaderOptions how = options(workers, first);
  how.channels = 3;
  how.patch_size = 2;
  how.masks = {.share = 0.5, .exact = true};
  how.mixes = {.probability = {0.5, 0.3, 0.2},
               .global_size = {6, 12, 8},
               .local_size = {4, 4, 6},
               .gram_size = {8, 12, 4}};
  return how;
}

MultiCropOptions every_crop() {
  MultiCropOptions crops = tiny_crops(3);
  crops.clean_teacher = true;
  crops.shared_jitter = true;
  crops.local_window_step = 2;
  return crops;
}

/** Counts who loads at once; with `meets`, four that load wait for each other. */
class CountedData : public FakeData {
 public:
  using FakeData::FakeData;
  image::Image load(std::int64_t index) const override {
    if (meets) four.arrive_and_wait();
    const int now = ++inside;
    int before = most;
    while (now > before && !most.compare_exchange_weak(before, now)) {
    }
    std::this_thread::yield();
    --inside;
    return FakeData::load(index);
  }
  bool meets = false;
  mutable std::barrier<> four{4};
  mutable std::atomic<int> inside = 0, most = 0;
};

LoaderOptions one_beside() {
  return {.batch_size = 4, .channels = 1, .workers = 4, .workers_beside = 1, .batches_ahead = 1};
}

TEST(Loader, FewWorkersRunWhileTheCallerComputes) {
  const CountedData data(40);
  Loader loader(data, tiny_crops(1), one_beside());
  for (int batch = 1; batch < 5; ++batch) {
    loader.next();
    data.most = 0;
    while (data.loads < 4 * (batch + 1)) std::this_thread::yield();  // the next is made meanwhile
    EXPECT_LE(data.most, 1);
  }
}

TEST(Loader, AllWorkersRunWhileTheCallerWaits) {
  CountedData data(40);
  data.meets = true;  // hangs unless all four load
  Loader loader(data, tiny_crops(1), one_beside());
  for (int batch = 0; batch < 5; ++batch) loader.next();
  for (int rest = 0; rest < 3; ++rest) data.four.arrive_and_drop();  // the next batch's loader
}

TEST(Loader, MasksGramCropsAndMixesDependOnTheSeedAlone) {
  const FakeData data(23, {2}, 3, 9);
  const auto expected = run(data, everything(0), 12, every_crop());
  for (const int workers : {1, 2, 7})
    EXPECT_EQ(run(data, everything(workers), 12, every_crop()), expected) << workers;
  for (const int first : {1, 5, 9}) {
    const auto tail = run(data, everything(2, first), 12 - first, every_crop());
    EXPECT_TRUE(std::equal(tail.begin(), tail.end(), expected.begin() + first)) << first;
  }
  LoaderOptions other = everything(2);
  other.seed = 4;
  const auto different = run(data, other, 12, every_crop());
  EXPECT_NE(different[0].masks.masked, expected[0].masks.masked);
}

/** So that a run goes on alike on another machine. */
TEST(Loader, BytesDoNotDependOnTheInstructionSet) {
  const FakeData data(23, {2}, 3, 40);
  const auto expected = run(data, everything(0), 8, every_crop());
  for (const image::PixelKernels* table : image::all_kernels()) {
    const image::PixelKernelsForTesting use(*table);
    EXPECT_EQ(&image::kernels(), table);
    EXPECT_EQ(run(data, everything(0), 8, every_crop()), expected) << table->name;
  }
  EXPECT_EQ(&image::kernels(), image::all_kernels().back());
}

TEST(Loader, RanksShareTheMixButNotTheMasks) {
  const FakeData data(23, {}, 3, 9);
  LoaderOptions how = everything(1);
  how.world_size = 2;
  const auto first = run(data, how, 6, every_crop());
  how.rank = 1;
  const auto second = run(data, how, 6, every_crop());
  for (std::size_t i = 0; i < 6; ++i) {
    EXPECT_EQ(first[i].globals.size(), second[i].globals.size());
    EXPECT_EQ(first[i].masks.upper_bound, second[i].masks.upper_bound);
    EXPECT_NE(first[i].masks.masked, second[i].masks.masked);
  }
}

TEST(Loader, BatchesHaveTheSizesOfTheirMix) {
  const FakeData data(23, {}, 3, 9);
  const LoaderOptions how = everything(2);
  Loader loader(data, every_crop(), how);
  std::array<int, 3> seen = {};
  for (int i = 0; i < 40; ++i) {
    CropBatch batch = loader.next();
    const auto mix = static_cast<std::size_t>(draw_mix(how.mixes, how.seed, i));
    ++seen[mix];
    const auto g = static_cast<std::size_t>(how.mixes.global_size[mix]);
    const auto t = static_cast<std::size_t>(how.mixes.gram_size[mix]);
    EXPECT_EQ(batch.global_size, how.mixes.global_size[mix]);
    EXPECT_EQ(batch.local_size, how.mixes.local_size[mix]);
    EXPECT_EQ(batch.gram_size, how.mixes.gram_size[mix]);
    EXPECT_EQ(batch.globals.size(), 2 * 5 * 3 * g * g);
    EXPECT_EQ(batch.teacher_globals.size(), batch.globals.size());
    EXPECT_EQ(batch.gram.size(), 2 * 5 * 3 * t * t);
    EXPECT_EQ(batch.masks.masked.size(), 2 * 5 * (g / 2) * (g / 2));
    EXPECT_EQ(static_cast<std::int64_t>(batch.masks.indices.size()), batch.masks.upper_bound);
    loader.recycle(std::move(batch));
  }
  for (const int count : seen) EXPECT_GT(count, 2);
}

TEST(Loader, GramAndTeacherSeeTheRegionsOfTheGlobalCrops) {
  const FakeData data(10, {}, 3, 16);
  MultiCropOptions crops = tiny_crops(3);
  crops.clean_teacher = true;
  crops.gram_size = 12;
  crops.blur = crops.solarize = {0, 0, 0};
  crops.jitter = crops.grayscale = 0;
  Loader plain(data, crops, {.batch_size = 5, .channels = 3});
  const CropBatch without = plain.next();
  EXPECT_TRUE(std::equal(without.globals.data(), without.globals.data() + without.globals.size(),
                         without.teacher_globals.data()))
      << "nothing changes colors, so all teachers see what the student sees";
  EXPECT_TRUE(without.masks.masked.empty());
  crops.solarize = {1, 1, 1};
  Loader solarized(data, crops, {.batch_size = 5, .channels = 3});
  const CropBatch with = solarized.next();
  ASSERT_EQ(with.gram.size(), without.gram.size());
  EXPECT_TRUE(
      std::equal(with.gram.data(), with.gram.data() + with.gram.size(), without.gram.data()));
  EXPECT_TRUE(std::equal(with.teacher_globals.data(),
                         with.teacher_globals.data() + with.teacher_globals.size(),
                         without.globals.data()));
  crops.gram_distorted = true;
  crops.solarize = {0, 0, 0};
  Loader distorted(data, crops, {.batch_size = 5, .channels = 3});
  const CropBatch same = distorted.next();
  // Without changes of color the two ways differ only in what is rounded to 8 bits when.
  for (std::size_t i = 0; i < same.globals.size(); ++i)
    EXPECT_NEAR(same.globals.data()[i], without.globals.data()[i], 1.01 / 255 / 0.25);
}

TEST(Loader, StartingLaterGivesTheTailOfTheWholeRun) {
  const FakeData data(23);
  const auto whole = run(data, options(2), 12);
  for (const int first : {1, 4, 7}) {
    const auto tail = run(data, options(2, first), 12 - first);
    EXPECT_TRUE(std::equal(tail.begin(), tail.end(), whole.begin() + first)) << first;
  }
}

TEST(Loader, BatchesHaveTheSamplersImagesCropMajor) {
  const FakeData data(20);
  MultiCropOptions crops = tiny_crops(1);
  crops.jitter = 0;
  crops.solarize = {0, 0, 0};
  Loader loader(data, crops, options(2));
  EpochSampler sampler(20, {.batch_size = 5, .seed = 3});
  EXPECT_EQ(loader.iterations_per_epoch(), 4);
  for (int iteration = 0; iteration < 8; ++iteration) {
    const CropBatch batch = loader.next();
    EXPECT_EQ(batch.iteration, iteration);
    std::vector<std::int64_t> drawn;
    for (const Draw& draw : sampler.batch(iteration)) drawn.push_back(draw.index);
    EXPECT_EQ(batch.indices, drawn);
    ASSERT_EQ(batch.globals.size(), 2u * 5 * 6 * 6);
    ASSERT_EQ(batch.locals.size(), 3u * 5 * 4 * 4);
    // The images are flat: every pixel of row crop * B + b tells the image.
    for (std::size_t i = 0; i < batch.locals.size(); ++i)
      EXPECT_FLOAT_EQ(batch.locals.data()[i],
                      (static_cast<float>(batch.indices[i / 16 % 5]) / 255 - 0.5f) / 0.25f);
    for (std::size_t i = 0; i < batch.globals.size(); ++i)
      EXPECT_FLOAT_EQ(batch.globals.data()[i],
                      (static_cast<float>(batch.indices[i / 36 % 5]) / 255 - 0.5f) / 0.25f);
  }
}

TEST(Loader, ColorAndNoLocalCrops) {
  const FakeData data(10, {}, 3);
  MultiCropOptions crops = tiny_crops(3);
  crops.local_count = 0;
  LoaderOptions how = options(1);
  how.channels = 3;
  Loader loader(data, crops, how);
  const CropBatch batch = loader.next();
  EXPECT_EQ(batch.globals.size(), 2u * 5 * 3 * 6 * 6);
  EXPECT_EQ(batch.locals.size(), 0u);
}

TEST(Loader, RecycledBuffersAreUsedAgain) {
  const FakeData data(20);
  Loader loader(data, tiny_crops(1), options(0));
  CropBatch first = loader.next();
  const float* buffer = first.globals.data();
  loader.recycle(std::move(first));
  EXPECT_EQ(loader.next().globals.data(), buffer);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(buffer) % 64, 0u);
  loader.recycle(CropBatch{});  // of other sizes: replaced, not written past its end
  EXPECT_EQ(loader.next().globals.size(), 2u * 5 * 6 * 6);
}

TEST(Loader, BadImagesAreReplacedCountedAndListedOnce) {
  const FakeData data(20, {4, 5});
  LoaderOptions how = options(2);
  how.max_bad_share = 0.5;
  std::mutex mutex;
  std::vector<std::string> logged;
  Loader loader(data, tiny_crops(1), how, [&](LogLevel level, std::string_view text) {
    const std::lock_guard lock(mutex);
    EXPECT_EQ(level, LogLevel::Warning);
    logged.emplace_back(text);
  });
  int replaced = 0;
  for (int i = 0; i < 12; ++i)  // three epochs
    for (const auto index : loader.next().indices) {
      EXPECT_TRUE(index != 4 && index != 5);
      replaced += index == 6;
    }
  EXPECT_EQ(replaced, 9) << "4 and 5 are each replaced by 6, once an epoch";
  const LoaderStats stats = loader.stats();
  EXPECT_EQ(stats.bad_count, 2);
  ASSERT_EQ(stats.bad.size(), 2u);
  EXPECT_NE(stats.bad[0].find("[decode]"), std::string::npos);
  EXPECT_NE(stats.bad[0].find("fake#"), std::string::npos);
  EXPECT_EQ(logged.size(), 2u);
}

TEST(Loader, TooManyBadImagesStopTheRun) {
  std::set<std::int64_t> bad;
  for (int i = 0; i < 50; ++i) bad.insert(i * 2);
  const FakeData data(100, bad);
  for (const int workers : {0, 2}) {
    const std::string text =
        refusal_of(ErrorKind::Data, [&] { run(data, options(workers), 1000); });
    EXPECT_NE(text.find("data.max_bad_share = 0.05"), std::string::npos) << text;
    EXPECT_NE(text.find("fake#"), std::string::npos) << text;
  }
}

TEST(Loader, ABlockOfBadImagesCountsOnceEach) {
  std::set<std::int64_t> bad;
  for (int i = 100; i < 130; ++i) bad.insert(i);
  const FakeData data(1000, bad);
  const auto batches = run(data, options(2), 400);  // two epochs, 3 % bad
  EXPECT_EQ(batches.size(), 400u);
}

TEST(Loader, AnUnreadableSourceEndsSoon) {
  std::set<std::int64_t> bad;
  for (int i = 0; i < 100'000; ++i) bad.insert(i);
  const FakeData data(100'000, bad);
  refusal_of(ErrorKind::Data, [&] { run(data, options(0), 1); });
  EXPECT_LE(data.loads, 5'001) << "not one walk through the whole source";
}

TEST(Loader, AFewBadImagesNeverStopASmallDataSet) {
  const FakeData data(10, {1});
  EXPECT_NO_THROW(run(data, options(1), 2)) << "one in ten, but fewer than 16 in all";
}

TEST(Loader, NothingReadableIsAnErrorNotAHang) {
  const FakeData data(6, {0, 1, 2, 3, 4, 5});
  for (const int workers : {0, 1, 3}) {
    LoaderOptions how = options(workers);
    how.max_bad_share = 1;
    const std::string text = refusal_of(ErrorKind::Data, [&] { run(data, how, 2); });
    EXPECT_NE(text.find("none of the 6 images"), std::string::npos) << text;
  }
}

TEST(Loader, OtherErrorsOfAWorkerReachTheCallerAgainAndAgain) {
  FakeData data(20);
  data.internal_error_at = 7;
  Loader loader(data, tiny_crops(1), options(3));
  refusal_of(ErrorKind::Internal, [&] {
    for (int i = 0; i < 20; ++i) loader.next();
  });
  refusal_of(ErrorKind::Internal, [&] { loader.next(); });
}

TEST(Loader, RefusesABatchLargerThanTheDataSetAndOneImage) {
  const FakeData three(3), one(1);
  EXPECT_NE(
      refusal_of(ErrorKind::Data, [&] { run(three, options(2), 1); }).find("train.batch_size"),
      std::string::npos);
  EXPECT_NE(refusal_of(ErrorKind::Data, [&] { run(one, options(2), 1); }).find("one image"),
            std::string::npos);
  MultiCropOptions wrong = tiny_crops(3);
  EXPECT_THROW(Loader(FakeData(10), wrong, options(1)), Error);
}

TEST(Loader, CanBeDestroyedAtAnyTime) {
  const FakeData data(200, {}, 1, 64);
  for (int taken = 0; taken < 4; ++taken) {
    Loader loader(data, tiny_crops(1), options(4));
    for (int i = 0; i < taken; ++i) loader.next();
  }
}

TEST(Loader, CountsWorkAndWaiting) {
  const FakeData data(20);
  Loader loader(data, tiny_crops(1), options(0));
  loader.next();
  loader.next();
  const LoaderStats stats = loader.stats();
  EXPECT_EQ(stats.images, 10);
  EXPECT_GT(stats.busy_seconds, 0);
  EXPECT_GE(stats.wait_seconds, stats.busy_seconds)
      << "without workers the caller waits for all of it";
}

/** Each rank's batches are those of the sampler for that rank: no image twice, and all of them. */
TEST(Loader, RanksShareTheImagesOfAnEpoch) {
  const FakeData data(40);
  std::set<std::int64_t> all;
  for (const int workers : {0, 2}) {
    all.clear();
    for (int rank = 0; rank < 4; ++rank) {
      LoaderOptions how = options(workers);
      how.rank = rank;
      how.world_size = 4;
      EpochSampler sampler(40, {.batch_size = 5, .seed = how.seed, .rank = rank, .world_size = 4});
      Loader loader(data, tiny_crops(1), how);
      for (int i = 0; i < 4; ++i) {
        const auto expected = sampler.batch(i);
        const std::vector<std::int64_t> indices = loader.next().indices;
        for (std::size_t at = 0; at < indices.size(); ++at)
          EXPECT_EQ(indices[at], expected[at].index) << rank;
        if (i < 2) all.insert(indices.begin(), indices.end());
      }
    }
    EXPECT_EQ(all.size(), 40u) << "two batches of five on four ranks are an epoch";
  }
}

/** Batches given before `next` failed with that kind, and again with the same words. */
int batches_before_failure(const Dataset& data, const LoaderOptions& how, ErrorKind kind) {
  Loader loader(data, tiny_crops(1), how);
  int given = 0;
  const std::string why = refusal_of(kind, [&] {
    for (; given < 1000; ++given) loader.next();
  });
  EXPECT_EQ(refusal_of(kind, [&] { loader.next(); }), why);
  return given;
}

TEST(Loader, FailuresComeAtTheSameStepWhateverTheWorkers) {
  FakeData broken(200);
  broken.internal_error_at = 77;
  std::set<std::int64_t> bad;
  for (int i = 0; i < 200; i += 4) bad.insert(i);
  const FakeData spoilt(200, bad);
  LoaderOptions how = options(0);
  how.max_bad_share = 0.2;
  const int broken_at = batches_before_failure(broken, how, ErrorKind::Internal);
  const int spoilt_at = batches_before_failure(spoilt, how, ErrorKind::Data);
  EXPECT_GT(broken_at, 0);
  EXPECT_GT(spoilt_at, 0);
  for (const int workers : {1, 2, 5})
    for (const int ahead : {1, 4}) {
      how.workers = workers;
      how.batches_ahead = ahead;
      EXPECT_EQ(batches_before_failure(broken, how, ErrorKind::Internal), broken_at) << workers;
      EXPECT_EQ(batches_before_failure(spoilt, how, ErrorKind::Data), spoilt_at) << workers;
    }
}

}  // namespace
}  // namespace dino::data
