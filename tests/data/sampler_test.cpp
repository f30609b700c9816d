#include "dino/data/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "dino/base/error.h"

namespace dino::data {
namespace {

std::vector<std::int64_t> epoch_of(EpochSampler& sampler, std::int64_t epoch) {
  std::vector<std::int64_t> all;
  for (std::int64_t i = 0; i < sampler.iterations_per_epoch(); ++i) {
    const auto batch = sampler.batch(epoch * sampler.iterations_per_epoch() + i);
    all.insert(all.end(), batch.begin(), batch.end());
  }
  return all;
}

std::string refusal(std::int64_t size, int batch, int world = 1) {
  try {
    EpochSampler sampler(size, batch, 0, 0, world);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Data);
    return error.what();
  }
  return "";
}

TEST(EpochSampler, EachEpochTakesEachImageOnceInItsOwnOrder) {
  EpochSampler sampler(60, 6, 1);
  auto first = epoch_of(sampler, 0), second = epoch_of(sampler, 1);
  EXPECT_NE(first, second);
  for (auto* epoch : {&first, &second}) {
    EXPECT_FALSE(std::is_sorted(epoch->begin(), epoch->end()));
    std::sort(epoch->begin(), epoch->end());
    std::vector<std::int64_t> all(60);
    std::iota(all.begin(), all.end(), 0);
    EXPECT_EQ(*epoch, all);
  }
  EpochSampler other_seed(60, 6, 2);
  EXPECT_NE(epoch_of(other_seed, 0), epoch_of(sampler, 0));
}

TEST(EpochSampler, DropsTheIncompleteBatch) {
  EpochSampler sampler(65, 8, 1);
  EXPECT_EQ(sampler.iterations_per_epoch(), 8);
  const auto epoch = epoch_of(sampler, 0);
  EXPECT_EQ(epoch.size(), 64u);
  EXPECT_EQ(std::set<std::int64_t>(epoch.begin(), epoch.end()).size(), 64u);
}

TEST(EpochSampler, AnyIterationAloneEqualsTheWholeRun) {
  EpochSampler whole(50, 7, 3);
  std::vector<std::vector<std::int64_t>> run;
  for (int i = 0; i < 30; ++i) run.push_back(whole.batch(i));
  EpochSampler jumping(50, 7, 3);
  for (const int i : {29, 3, 17, 0, 28, 7})
    EXPECT_EQ(jumping.batch(i), run[static_cast<std::size_t>(i)]);
}

TEST(EpochSampler, RanksShareAnEpochWithoutOverlap) {
  EpochSampler alone(64, 12, 5);
  std::set<std::int64_t> seen;
  for (int rank = 0; rank < 3; ++rank) {
    EpochSampler sampler(64, 4, 5, rank, 3);
    EXPECT_EQ(sampler.iterations_per_epoch(), 5);
    for (const auto index : epoch_of(sampler, 2)) EXPECT_TRUE(seen.insert(index).second) << index;
  }
  EXPECT_EQ(seen.size(), 60u);
  const auto together = epoch_of(alone, 2);
  EXPECT_EQ(seen, std::set<std::int64_t>(together.begin(), together.end()));
}

TEST(EpochSampler, RefusesWhatCannotFillABatch) {
  EXPECT_NE(refusal(0, 4).find("holds no images"), std::string::npos);
  EXPECT_NE(refusal(1, 1).find("one image"), std::string::npos);
  EXPECT_EQ(refusal(10, 64),
            "[sample] one step takes 64 images but the data set holds 10; lower train.batch_size "
            "to at most 10 or "
            "add images");
  EXPECT_NE(refusal(10, 4, 3), "");
  EXPECT_EQ(refusal(64, 64), "");
}

}  // namespace
}  // namespace dino::data
