#include "dino/base/contention.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <ctime>
#include <fstream>

#include "tests/temp_dir.h"

namespace dino {
namespace {

namespace fs = std::filesystem;

class SecondsWaited : public ::testing::Test {
 protected:
  void write(const std::string& task, const std::string& text) {
    fs::create_directories(tasks_ / task);
    std::ofstream(tasks_ / task / "schedstat") << text << '\n';
  }
  const test::TempDir temp_;
  const fs::path tasks_ = temp_ / "task";
};

TEST_F(SecondsWaited, AreThoseOfAllThreads) {
  write("12", "5000000000 1500000000 7");
  write("13", "0 0 0");
  write("4000000", "99 2000000000 1");
  EXPECT_DOUBLE_EQ(seconds_waited(tasks_).value(), 3.5);
}

TEST_F(SecondsWaited, LeaveOutThreadsThatSayNothing) {
  write("1", "1 1000000000 1");
  for (const std::string text : {"", "1", "- -", "one two three"}) {
    write("2", text);
    EXPECT_DOUBLE_EQ(seconds_waited(tasks_).value(), 1.0) << text;
  }
  fs::create_directories(tasks_ / "3");  // ended while we look
  EXPECT_DOUBLE_EQ(seconds_waited(tasks_).value(), 1.0);
}

TEST_F(SecondsWaited, AreUnknownWhereTheSystemDoesNotCount) {
  EXPECT_FALSE(seconds_waited(tasks_).has_value());
  fs::create_directories(tasks_ / "1");
  EXPECT_FALSE(seconds_waited(tasks_).has_value());
}

TEST_F(SecondsWaited, OfOthersAreTheMachinesLessOurs) {
  const fs::path stat = temp_ / "stat";
  const auto ticks = sysconf(_SC_CLK_TCK);
  const auto write_stat = [&](long seconds) {
    std::ofstream(stat) << "cpu  " << seconds * ticks << " 0 " << ticks << " 777 888 " << ticks
                        << " 0 999 1 1\ncpu0 1 2 3\n";
  };
  write_stat(1000);
  const double before = seconds_of_others(stat).value();
  EXPECT_LT(before, 1002.0);
  EXPECT_GT(before, 0.0);
  write_stat(1005);
  EXPECT_NEAR(seconds_of_others(stat).value(), before + 5, 1.0);
  const auto busy_until = std::clock() + CLOCKS_PER_SEC / 2;
  while (std::clock() < busy_until) {
  }
  EXPECT_LT(seconds_of_others(stat).value(), before + 4.6);  // half a second was ours
  EXPECT_FALSE(seconds_of_others(temp_ / "absent").has_value());
  for (const std::string text :
       {"", "cpu", "cpu 1 2 3", "cpu0 1 2 3 4 5 6 7", "cpu a b c d e f g"}) {
    std::ofstream(stat) << text;
    EXPECT_FALSE(seconds_of_others(stat).has_value()) << text;
  }
}

constexpr Contention::Load kBusy = {.waited = 0.5, .others = 0.6};

/** How many readings in a row say so, if all find the same load. */
int readings_of_contention(Contention& contention, const Contention::Load& load) {
  int count = 0;
  while (contention.update(load)) ++count;
  return count;
}

TEST(Contention, NeedsOthersOnTheSameProcessors) {
  Contention contention;
  EXPECT_FALSE(contention.update({.waited = 0.0, .others = 0.0}));
  EXPECT_FALSE(contention.update({.waited = 0.2, .others = 0.3}));   // a little is always there
  EXPECT_FALSE(contention.update({.waited = 5.0, .others = 0.1}));   // our own threads
  EXPECT_FALSE(contention.update({.waited = 0.1, .others = 60.0}));  // on other processors
  EXPECT_TRUE(contention.update(kBusy));
}

TEST(Contention, IsLookedAtAgainLessAndLessOften) {
  Contention contention;
  for (const int expected : {8, 16, 32, 64, 64})
    EXPECT_EQ(readings_of_contention(contention, kBusy), expected);
}

TEST(Contention, IsAssumedWhileNobodyLooks) {
  Contention contention;
  EXPECT_TRUE(contention.update(kBusy));
  EXPECT_EQ(readings_of_contention(contention, {.waited = 0.0, .others = 0.0}), 7);
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(contention.update({.waited = 0.0, .others = 0.0}));
  EXPECT_EQ(readings_of_contention(contention, kBusy), 8);  // patience begins anew
}

}  // namespace
}  // namespace dino
