#include "dino/base/nearest_name.h"

#include <gtest/gtest.h>

#include <vector>

namespace dino {
namespace {

TEST(EditDistance, KnownPairs) {
  EXPECT_EQ(edit_distance("", ""), 0u);
  EXPECT_EQ(edit_distance("", "abc"), 3u);
  EXPECT_EQ(edit_distance("abc", ""), 3u);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
  EXPECT_EQ(edit_distance("saturday", "sunday"), 3u);
  EXPECT_EQ(edit_distance("flaw", "lawn"), 2u);
}

TEST(NearestName, FindsTheSlip) {
  const std::vector<std::string> keys = {"learning_rate", "weight_decay", "momentum", "lr",
                                         "epochs"};
  EXPECT_EQ(nearest_name("lerning_rate", keys), "learning_rate");
  EXPECT_EQ(nearest_name("weightdecay", keys), "weight_decay");
  EXPECT_EQ(nearest_name("epoch", keys), "epochs");
  EXPECT_EQ(nearest_name("l", keys), "lr");
  EXPECT_EQ(did_you_mean("momentun", keys), "; did you mean 'momentum'?");
}

TEST(NearestName, DoesNotGuessWildly) {
  const std::vector<std::string> keys = {"learning_rate", "lr"};
  EXPECT_EQ(nearest_name("prototypes", keys), std::nullopt);
  EXPECT_EQ(nearest_name("x", keys), std::nullopt);
  EXPECT_EQ(nearest_name("", keys), std::nullopt);
  EXPECT_EQ(nearest_name("lr", {}), std::nullopt);
  EXPECT_EQ(did_you_mean("prototypes", keys), "");
}

TEST(NearestName, FirstOfEquals) {
  const std::vector<std::string> keys = {"crop_a", "crop_b"};
  EXPECT_EQ(nearest_name("crop_c", keys), "crop_a");
}

}  // namespace
}  // namespace dino
