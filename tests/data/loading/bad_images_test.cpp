#include "dino/data/loading/bad_images.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

namespace dino::data {
namespace {

BadImage cut_short(const std::string& name) {
  return {ErrorKind::Format, BadReason::Truncated, name + ": ends early"};
}

TEST(BadImages, AreCountedAndListedOnceButLoggedTenTimesAtMost) {
  std::vector<std::string> logged;
  BadImages bad([&](LogLevel, std::string_view text) { logged.emplace_back(text); });
  for (int round = 0; round < 2; ++round)
    for (std::uint64_t i = 0; i < 150; ++i)
      bad.add(i, "image" + std::to_string(i), cut_short("image" + std::to_string(i)));
  bad.add(1000, "b\xFF", Error(ErrorKind::Io, "no such file"));
  EXPECT_TRUE(bad.contains(149));
  EXPECT_FALSE(bad.contains(150));
  const auto counts = bad.counts();
  EXPECT_EQ(counts.all, 151);
  EXPECT_EQ(counts.by_reason.at(BadReason::Truncated), 150);
  ASSERT_EQ(counts.listed.size(), 100U);
  EXPECT_EQ(counts.listed[7], "image7: ends early");  // the name stands in the message already
  ASSERT_EQ(logged.size(), 11U);
  EXPECT_EQ(logged[0], "skipped a bad image: image0: ends early");
  EXPECT_EQ(logged[10], "further bad images are counted, not shown");
  const auto files = bad.take_new();
  ASSERT_EQ(files.size(), 151U);
  EXPECT_EQ(files[150].name, "b\\xFF");
  EXPECT_TRUE(bad.take_new().empty());
}

TEST(BadImages, OfWorkersThatMeetTheSameOneOnlyOneCounts) {
  BadImages bad({});
  {
    std::vector<std::jthread> workers;
    for (int i = 0; i < 4; ++i)
      workers.emplace_back([&] {
        for (std::uint64_t image = 0; image < 50; ++image)
          bad.add(image, std::to_string(image), cut_short(std::to_string(image)));
      });
  }
  EXPECT_EQ(bad.counts().all, 50);
  EXPECT_EQ(bad.take_new().size(), 50U);
}

}  // namespace
}  // namespace dino::data
