#include "dino/base/contention.h"

#include <gtest/gtest.h>

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

TEST(Contention, IsSeenAtOnceAndForgottenLate) {
  Contention contention;
  EXPECT_FALSE(contention.update(0.0));
  EXPECT_FALSE(contention.update(0.2));  // a little of it is always there
  EXPECT_TRUE(contention.update(0.5));
  for (int i = 1; i < Contention::kCalmReadings; ++i) EXPECT_TRUE(contention.update(0.01));
  EXPECT_FALSE(contention.update(0.01));
  EXPECT_FALSE(contention.update(0.2));
}

TEST(Contention, LastsWhileReadingsAreNotCalm) {
  Contention contention;
  EXPECT_TRUE(contention.update(2.0));
  for (int i = 0; i < 3 * Contention::kCalmReadings; ++i)
    EXPECT_TRUE(contention.update(i % 2 == 0 ? 0.0 : 0.2));
}

}  // namespace
}  // namespace dino
