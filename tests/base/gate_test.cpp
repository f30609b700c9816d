#include "dino/base/gate.h"

#include <gtest/gtest.h>

#include <latch>
#include <thread>
#include <vector>

namespace dino {
namespace {

/** Threads that do pieces of work inside a gate, and how many were inside at once. */
class Workers {
 public:
  Workers(Gate& gate, int threads, int pieces) {
    for (int t = 0; t < threads; ++t)
      threads_.emplace_back([this, &gate, pieces] {
        Gate::Pass pass(gate);
        for (int i = 0; i < pieces; ++i, pass.renew()) {
          const int now = ++inside_;
          int most = most_;
          while (now > most && !most_.compare_exchange_weak(most, now)) {
          }
          std::this_thread::yield();
          --inside_;
          ++done_;
        }
      });
  }
  void join() {
    for (std::jthread& thread : threads_) thread.join();
  }
  int most() const { return most_; }
  int done() const { return done_; }

 private:
  std::atomic<int> inside_ = 0, most_ = 0, done_ = 0;
  std::vector<std::jthread> threads_;
};

TEST(Gate, LetsAsManyInAsItIsWide) {
  for (const int width : {1, 2, 3}) {
    Gate gate(width);
    Workers workers(gate, 6, 200);
    workers.join();
    EXPECT_LE(workers.most(), width);
    EXPECT_EQ(workers.done(), 6 * 200);
  }
}

TEST(Gate, LetsAllInWhenOpen) {
  Gate gate(1);
  gate.open();
  std::latch all_here(4);
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      const Gate::Pass pass(gate);
      all_here.arrive_and_wait();  // hangs unless all four are inside
    });
}

TEST(Gate, OpeningWakesThoseThatWait) {
  Gate gate(0);
  std::latch all_here(3);
  std::vector<std::jthread> threads;
  for (int t = 0; t < 3; ++t)
    threads.emplace_back([&] {
      const Gate::Pass pass(gate);
      all_here.arrive_and_wait();
    });
  EXPECT_FALSE(all_here.try_wait());
  gate.open();
}

TEST(Gate, NarrowedStopsWhoRenews) {
  Gate gate(0);
  gate.open();
  std::latch narrowed(1);
  std::atomic<int> pieces = 0;
  std::jthread worker([&] {
    Gate::Pass pass(gate);
    ++pieces;
    narrowed.wait();
    pass.renew();
    EXPECT_EQ(pieces, 2);  // counted by who opens it again
  });
  while (pieces < 1) std::this_thread::yield();
  gate.narrow();
  narrowed.count_down();
  ++pieces;
  gate.open();
}

}  // namespace
}  // namespace dino
