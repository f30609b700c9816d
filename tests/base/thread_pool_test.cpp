#include "dino/base/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <memory>
#include <stdexcept>

namespace dino {
namespace {

class ThreadPoolSizes : public ::testing::TestWithParam<std::size_t> {};
INSTANTIATE_TEST_SUITE_P(Workers, ThreadPoolSizes, ::testing::Values(0, 1, 2, 5));

TEST_P(ThreadPoolSizes, EachIndexRunsOnce) {
  ThreadPool pool(GetParam());
  EXPECT_EQ(pool.size(), GetParam());
  for (const std::int64_t count : {0, 1, 2, 1000}) {
    std::vector<std::atomic<int>> runs(static_cast<std::size_t>(count));
    pool.parallel_for(count, [&](std::int64_t i) { ++runs[static_cast<std::size_t>(i)]; });
    for (const auto& n : runs) EXPECT_EQ(n, 1);
  }
}

TEST_P(ThreadPoolSizes, NestedLoopsFinish) {
  ThreadPool pool(GetParam());
  std::atomic<int> runs = 0;
  pool.parallel_for(8, [&](std::int64_t) {
    pool.parallel_for(8,
                      [&](std::int64_t) { pool.parallel_for(4, [&](std::int64_t) { ++runs; }); });
  });
  EXPECT_EQ(runs, 256);
}

TEST_P(ThreadPoolSizes, ExceptionsComeBackAndThePoolGoesOn) {
  ThreadPool pool(GetParam());
  std::atomic<int> runs = 0;
  const auto throws_at_3 = [&](std::int64_t i) {
    if (i == 3) throw std::runtime_error("third");
    ++runs;
  };
  EXPECT_THROW(pool.parallel_for(1'000'000, throws_at_3), std::runtime_error);
  EXPECT_LT(runs, 1'000'000);  // the rest is given up
  runs = 0;
  pool.parallel_for(10, [&](std::int64_t) { ++runs; });
  EXPECT_EQ(runs, 10);
}

TEST_P(ThreadPoolSizes, SubmitReturnsResultsAndExceptions) {
  ThreadPool pool(GetParam());
  auto value = std::make_unique<int>(41);  // tasks may own what cannot be copied
  auto good = pool.submit([value = std::move(value)] { return *value + 1; });
  auto bad = pool.submit([]() -> int { throw std::logic_error("no"); });
  EXPECT_EQ(good.get(), 42);
  EXPECT_THROW(bad.get(), std::logic_error);
}

TEST(ThreadPool, RunsAtTheSameTime) {
  ThreadPool pool(3);
  std::latch all_here(4);  // would hang if the three workers and the caller did not run together
  pool.parallel_for(4, [&](std::int64_t) { all_here.arrive_and_wait(); });
}

TEST(ThreadPool, DestructionFinishesTheRunningTaskAndDropsTheWaiting) {
  std::future<void> running, waiting;
  std::promise<void> started, release;
  auto pool = std::make_unique<ThreadPool>(1);
  running = pool->submit([&] {
    started.set_value();
    release.get_future().wait();
  });
  waiting = pool->submit([] {});
  started.get_future().wait();
  // Ready at once in the destructor, while the running task still runs: or this hangs.
  std::jthread releaser([&] {
    waiting.wait();
    release.set_value();
  });
  pool.reset();
  releaser.join();
  EXPECT_NO_THROW(running.get());
  EXPECT_THROW(waiting.get(), std::future_error);
}

}  // namespace
}  // namespace dino
