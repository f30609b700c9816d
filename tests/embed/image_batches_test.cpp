#include "dino/embed/image_batches.h"

#include <gtest/gtest.h>

#include <atomic>
#include <barrier>
#include <numeric>
#include <thread>

#include "tests/embed/fakes.h"

namespace dino::embed {
namespace {

constexpr std::int64_t kStretch = 32;  // of four tasks of eight images

/** Counts who loads at once. */
class CountedDataset : public testing::MemoryDataset {
 public:
  CountedDataset()
      : MemoryDataset(std::vector<image::Image>(3 * kStretch, testing::picture(4, 4, 1))) {}

  image::Image load(std::int64_t index) const override {
    if (meets && index % 8 == 0) four.arrive_and_wait();
    const int now = ++inside;
    int before = most;
    while (now > before && !most.compare_exchange_weak(before, now)) {
    }
    std::this_thread::yield();
    --inside;
    image::Image image = MemoryDataset::load(index);
    ++loads;
    return image;
  }

  std::atomic<bool> meets = false;
  mutable std::barrier<> four{4};
  mutable std::atomic<int> inside = 0, most = 0, loads = 0;
};

data::Preprocess tiny() {
  return {.image_size = 4, .resize = 4, .channels = 1, .mean = {0.5}, .std = {0.5}};
}

void walk(const CountedDataset& dataset, int threads,
          const std::function<bool(ImageStretch&)>& visit) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(dataset.size()));
  std::iota(order.begin(), order.end(), 0);
  for_each_stretch(dataset, order, tiny(), {.batch_size = kStretch, .threads = threads}, visit);
}

TEST(ForEachStretch, OneThreadInEightLoadsWhileTheVisitorComputes) {
  CountedDataset dataset;
  walk(dataset, 4, [&](const ImageStretch& stretch) {
    dataset.most = 0;
    const auto wanted = std::min(stretch.done + kStretch, dataset.size());
    while (dataset.loads < wanted) std::this_thread::yield();  // the next stretch is made beside
    EXPECT_LE(dataset.most, 1);
    return true;
  });
  EXPECT_EQ(dataset.loads, dataset.size());
}

TEST(ForEachStretch, AllThreadsLoadWhileTheVisitorWaits) {
  CountedDataset dataset;
  dataset.meets = true;  // hangs unless four load at once, of which one may begin beside a visit
  std::int64_t images = 0;
  walk(dataset, 4, [&](const ImageStretch& stretch) {
    images = stretch.done;
    return true;
  });
  EXPECT_EQ(images, dataset.size());
}

TEST(ForEachStretch, OneThreadDoesOneThingAtATime) {
  CountedDataset dataset;
  walk(dataset, 1, [&](const ImageStretch& stretch) {
    for (int i = 0; i < 100; ++i) std::this_thread::yield();
    EXPECT_EQ(dataset.loads, stretch.done);
    return true;
  });
}

TEST(ForEachStretch, EndsWhereTheVisitorSaysSo) {
  CountedDataset dataset;
  int visits = 0;
  walk(dataset, 4, [&](const ImageStretch&) { return ++visits < 2; });
  EXPECT_EQ(visits, 2);
}

}  // namespace
}  // namespace dino::embed
