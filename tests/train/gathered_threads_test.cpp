#include "dino/train/gathered_threads.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <thread>

#include "tests/temp_dir.h"

namespace dino::train {
namespace {

cpu_set_t mask_of(pid_t thread) {
  cpu_set_t mask;
  EXPECT_EQ(sched_getaffinity(thread, sizeof(mask), &mask), 0);
  return mask;
}

/** The first `count` processors of this thread's mask; fewer if it has fewer. */
cpu_set_t first_processors(int count) {
  const cpu_set_t all = mask_of(0);
  cpu_set_t few;
  CPU_ZERO(&few);
  for (std::size_t i = 0; i < CPU_SETSIZE && CPU_COUNT(&few) < count; ++i)
    if (CPU_ISSET(i, &all)) CPU_SET(i, &few);
  return few;
}

/** Runs body on a thread of its own that may use `count` processors, if there are so many. */
template <typename Body>
void on_processors(int count, const Body& body) {
  const cpu_set_t mask = first_processors(count);
  if (CPU_COUNT(&mask) < count) GTEST_SKIP() << "too few processors";
  std::thread([&] {
    ASSERT_EQ(sched_setaffinity(0, sizeof(mask), &mask), 0);
    body(mask);
  }).join();
}

TEST(GatheredThreads, ShareOneProcessorUntilTheObjectGoes) {
  on_processors(2, [](const cpu_set_t& both) {
    {
      GatheredThreads gathered({gettid(), 0x7ffffff});  // and one that has ended
      const cpu_set_t one = mask_of(0);
      EXPECT_EQ(CPU_COUNT(&one), 1);
      gathered.follow();
      const cpu_set_t next = mask_of(0);
      EXPECT_EQ(CPU_COUNT(&next), 1);
    }
    const cpu_set_t after = mask_of(0);
    EXPECT_TRUE(CPU_EQUAL(&after, &both));
  });
}

TEST(GatheredThreads, LeaveTheProcessorThatOthersUse) {
  on_processors(2, [](const cpu_set_t& both) {
    const test::TempDir temp;
    const auto write_busy = [&](const std::array<long, CPU_SETSIZE>& seconds) {
      std::ofstream stat(temp / "stat");
      stat << "cpu 1 2 3 4 5 6 7 8\n";
      for (std::size_t i = 0; i < CPU_SETSIZE; ++i)
        stat << "cpu" << i << " 0 " << seconds[i] * sysconf(_SC_CLK_TCK) << " 0 99 99 0 0 0\n";
      stat << "intr 1 2 3\n";
    };
    const auto current = [] {
      const cpu_set_t mask = mask_of(0);
      std::size_t i = 0;
      while (!CPU_ISSET(i, &mask)) ++i;
      return i;
    };
    std::array<long, CPU_SETSIZE> seconds{};
    write_busy(seconds);
    GatheredThreads gathered({gettid()}, temp / "stat");
    const std::size_t first = current();
    for (std::size_t i = 0; i < CPU_SETSIZE; ++i)  // all but ours
      seconds[i] += i == first ? 0 : 50;
    write_busy(seconds);
    gathered.follow();
    EXPECT_EQ(current(), first);
    seconds[first] += 50;
    write_busy(seconds);
    gathered.follow();
    const std::size_t second = current();
    EXPECT_NE(second, first);
    EXPECT_TRUE(CPU_ISSET(second, &both));
    for (long& each : seconds) each += 50;  // alike: no reason to move
    write_busy(seconds);
    gathered.follow();
    EXPECT_EQ(current(), second);
  });
}

TEST(GatheredThreads, NeedTwoProcessors) {
  for (const int count : {1, 3})
    on_processors(count, [](const cpu_set_t& mask) {
      GatheredThreads gathered({gettid()});
      gathered.follow();
      const cpu_set_t now = mask_of(0);
      EXPECT_TRUE(CPU_EQUAL(&now, &mask));
    });
  GatheredThreads nobody({});
  nobody.follow();
}

}  // namespace
}  // namespace dino::train
