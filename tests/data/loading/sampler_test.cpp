#include "dino/data/loading/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <numeric>
#include <set>
#include <string_view>

#include "dino/base/error.h"
#include "dino/base/rng.h"

namespace dino::data {
namespace {

std::vector<std::int64_t> epoch_of(EpochSampler& sampler, std::int64_t epoch) {
  std::vector<std::int64_t> all;
  for (std::int64_t i = 0; i < sampler.iterations_per_epoch(); ++i) {
    for (const Draw& draw : sampler.batch(epoch * sampler.iterations_per_epoch() + i))
      all.push_back(draw.index);
  }
  return all;
}

std::string refusal(std::int64_t size, int batch, int world = 1) {
  try {
    EpochSampler sampler(size, {.batch_size = batch, .world_size = world});
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Data);
    return error.what();
  }
  return "";
}

TEST(EpochSampler, EachEpochTakesEachImageOnceInItsOwnOrder) {
  EpochSampler sampler(60, {.batch_size = 6, .seed = 1});
  auto first = epoch_of(sampler, 0), second = epoch_of(sampler, 1);
  EXPECT_NE(first, second);
  for (auto* epoch : {&first, &second}) {
    EXPECT_FALSE(std::is_sorted(epoch->begin(), epoch->end()));
    std::sort(epoch->begin(), epoch->end());
    std::vector<std::int64_t> all(60);
    std::iota(all.begin(), all.end(), 0);
    EXPECT_EQ(*epoch, all);
  }
  EpochSampler other_seed(60, {.batch_size = 6, .seed = 2});
  EXPECT_NE(epoch_of(other_seed, 0), epoch_of(sampler, 0));
}

TEST(EpochSampler, DropsTheIncompleteBatch) {
  EpochSampler sampler(65, {.batch_size = 8, .seed = 1});
  EXPECT_EQ(sampler.iterations_per_epoch(), 8);
  const auto epoch = epoch_of(sampler, 0);
  EXPECT_EQ(epoch.size(), 64u);
  EXPECT_EQ(std::set<std::int64_t>(epoch.begin(), epoch.end()).size(), 64u);
}

TEST(EpochSampler, AnyIterationAloneEqualsTheWholeRun) {
  EpochSampler whole(50, {.batch_size = 7, .seed = 3});
  std::vector<std::vector<Draw>> run;
  for (int i = 0; i < 30; ++i) run.push_back(whole.batch(i));
  EpochSampler jumping(50, {.batch_size = 7, .seed = 3});
  for (const int i : {29, 3, 17, 0, 28, 7})
    EXPECT_EQ(jumping.batch(i), run[static_cast<std::size_t>(i)]);
}

TEST(EpochSampler, RanksShareAnEpochWithoutOverlap) {
  EpochSampler alone(64, {.batch_size = 12, .seed = 5});
  std::set<std::int64_t> seen;
  for (int rank = 0; rank < 3; ++rank) {
    EpochSampler sampler(64, {.batch_size = 4, .seed = 5, .rank = rank, .world_size = 3});
    EXPECT_EQ(sampler.iterations_per_epoch(), 5);
    for (const auto index : epoch_of(sampler, 2)) EXPECT_TRUE(seen.insert(index).second) << index;
  }
  EXPECT_EQ(seen.size(), 60u);
  const auto together = epoch_of(alone, 2);
  EXPECT_EQ(seen, std::set<std::int64_t>(together.begin(), together.end()));
}

/** The order that runs of earlier versions had: what they saved resumes to the same batches. */
TEST(EpochSampler, TheOrderIsPinned) {
  EpochSampler sampler(10, {.batch_size = 5, .seed = 7});
  Rng rng(7, 0, ~0ULL);
  const auto expected = random_permutation(10, rng);
  EXPECT_EQ(epoch_of(sampler, 0), expected);
}

TEST(EpochSampler, WeightsAreKeptExactlyInEachEpoch) {
  // 1000 images at weight 3 and 10 at weight 1: the ten are drawn many times.
  const std::vector<DatasetPart> parts = {{1000, 3}, {10, 1}};
  EpochSampler sampler(1010, {.batch_size = 10, .seed = 1}, parts);
  EXPECT_EQ(sampler.iterations_per_epoch(), 101);
  std::map<std::int64_t, int> drawn;
  for (int epoch = 0; epoch < 4; ++epoch) {
    std::map<std::int64_t, int> now;
    for (const std::int64_t index : epoch_of(sampler, epoch)) ++now[index], ++drawn[index];
    int small = 0;
    for (const auto& [index, count] : now) small += index >= 1000 ? count : 0;
    EXPECT_TRUE(small == 252 || small == 253) << small;
  }
  // After four epochs of 757 or 758 each of the thousand was drawn 3 times, some a fourth.
  for (const auto& [index, count] : drawn) {
    const int least = index < 1000 ? 3 : 100, most = index < 1000 ? 4 : 102;
    EXPECT_TRUE(count >= least && count <= most) << index << " " << count;
  }
  EXPECT_EQ(drawn.size(), 1010u);
}

TEST(EpochSampler, NoDrawOfAWeightedEpochHasTheRandomNumbersOfAnother) {
  EpochSampler sampler(30, {.batch_size = 6, .seed = 4, .epoch_images = 90}, {{20, 1}, {10, 5}});
  std::set<std::pair<std::int64_t, std::uint64_t>> seen;
  std::vector<std::int64_t> order;
  for (int i = 0; i < 45; ++i)
    for (const Draw& draw : sampler.batch(i)) {
      EXPECT_TRUE(seen.insert({draw.index, draw.pass}).second);
      order.push_back(draw.index);
    }
  EXPECT_FALSE(std::is_sorted(order.begin(), order.begin() + 90));
  EpochSampler other(30, {.batch_size = 6, .seed = 5, .epoch_images = 90}, {{20, 1}, {10, 5}});
  EXPECT_NE(other.batch(0), sampler.batch(0));
}

TEST(EpochSampler, AnEpochMayBeLongerOrShorterThanTheDataSet) {
  EpochSampler sampler(50, {.batch_size = 10, .seed = 2, .epoch_images = 20});
  EXPECT_EQ(sampler.iterations_per_epoch(), 2);
  std::multiset<std::int64_t> seen;
  for (int i = 0; i < 10; ++i)
    for (const Draw& draw : sampler.batch(i)) seen.insert(draw.index);
  for (std::int64_t index = 0; index < 50; ++index) EXPECT_EQ(seen.count(index), 2u) << index;
  EXPECT_EQ(EpochSampler(50, {.batch_size = 10, .epoch_images = 1000}).iterations_per_epoch(), 100);
}

TEST(EpochSampler, RanksTogetherDrawWhatOneAloneWould) {
  const std::vector<DatasetPart> parts = {{40, 1}, {24, 2}};
  EpochSampler alone(64, {.batch_size = 12, .seed = 5}, parts);
  std::vector<EpochSampler> ranks;
  for (int rank = 0; rank < 3; ++rank)
    ranks.emplace_back(
        64, SamplerOptions{.batch_size = 4, .seed = 5, .rank = rank, .world_size = 3}, parts);
  for (int iteration = 0; iteration < 12; ++iteration) {
    const auto together = alone.batch(iteration);
    for (std::size_t rank = 0; rank < 3; ++rank) {
      const auto part = ranks[rank].batch(iteration);
      for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(part[i], together[3 * i + rank]);
    }
  }
}

TEST(Permuted, IsAPermutationThatDependsOnEachNumber) {
  for (const std::uint64_t n : {1, 2, 3, 4, 5, 16, 17, 100, 1000}) {
    std::set<std::uint64_t> seen;
    for (std::uint64_t i = 0; i < n; ++i) seen.insert(permuted(i, n, 1, 2, 3));
    EXPECT_EQ(seen.size(), n);
    EXPECT_EQ(*seen.rbegin(), n - 1);
  }
  const auto order = [](std::uint64_t seed, std::uint64_t pass, std::uint32_t part) {
    std::vector<std::uint64_t> values;
    for (std::uint64_t i = 0; i < 100; ++i) values.push_back(permuted(i, 100, seed, pass, part));
    return values;
  };
  const std::set<std::vector<std::uint64_t>> all = {order(1, 2, 3), order(2, 2, 3), order(1, 3, 3),
                                                    order(1, 2, 4)};
  EXPECT_EQ(all.size(), 4u);
}

/** Each place is equally likely: chi-square of where the first of 10 lands, over 20,000 seeds. */
TEST(Permuted, IsUniform) {
  for (const std::uint64_t i : {0, 7}) {
    std::array<double, 10> counts{};
    for (std::uint64_t seed = 0; seed < 20'000; ++seed) ++counts[permuted(i, 10, seed, 0, 0)];
    double chi_square = 0;
    for (const double count : counts) chi_square += (count - 2000) * (count - 2000) / 2000;
    EXPECT_LT(chi_square, 27.9) << "one in a thousand, 9 degrees of freedom";
  }
}

TEST(EpochSampler, RefusesPartsThatGiveNothing) {
  try {
    EpochSampler sampler(1100, {.batch_size = 10}, {{1000, 1e6}, {100, 1}});
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_NE(std::string_view(error.what()).find("source 2"), std::string_view::npos);
  }
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
