#include "dino/eval/match_classes.h"

#include <gtest/gtest.h>

#include "dino/base/error.h"

namespace dino::eval {
namespace {

TEST(MatchClasses, GoesByNameAndAllowsAGalleryWithMore) {
  EXPECT_EQ(match_classes({"ant", "bee", "cat"}, {"cat", "ant"}, "a", "b"),
            (std::vector<std::int64_t>{2, 0}));
  EXPECT_EQ(match_classes({"ant"}, {}, "a", "b"), (std::vector<std::int64_t>{}));
  embed::FeatureMatrix queries;
  queries.labels = {0, 1, -1, 0};
  relabel(queries, {2, 0});
  EXPECT_EQ(queries.labels, (std::vector<std::int64_t>{2, 0, -1, 2}));
}

TEST(MatchClasses, NamesTheClassesThatNoNeighborCanHave) {
  try {
    match_classes({"ant", "bee"}, {"ant", "wasp", "zebra"}, "--train flies", "--test animals");
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Data);
    const std::string text = error.what();
    for (const char* part :
         {"2 of the 3 classes of --test animals", "wasp, zebra", "--train flies"})
      EXPECT_NE(text.find(part), std::string::npos) << text;
  }
}

}  // namespace
}  // namespace dino::eval
