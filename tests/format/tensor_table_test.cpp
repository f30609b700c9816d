#include "dino/format/tensor_table.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "dino/base/rng.h"

namespace dino::format {
namespace {

TensorRecord named(std::string name, std::int64_t size) {
  return {.name = std::move(name), .shape = {size}, .bytes = {}};
}

TEST(TensorTable, FindsWhatALinearSearchFinds) {
  Rng rng(1, 0, 0, 0);
  std::vector<TensorRecord> records;
  for (std::int64_t i = 0; i < 500; ++i)  // about a third of the names come twice or more
    records.push_back(named("blocks." + std::to_string(rng.below(600)), i));
  const TensorTable table(records);
  ASSERT_EQ(table.records().size(), records.size());
  for (int i = 0; i < 700; ++i) {
    const std::string name = "blocks." + std::to_string(i);
    const auto first = std::ranges::find(records, name, &TensorRecord::name);
    const TensorRecord* found = table.find(name);
    ASSERT_EQ(found != nullptr, first != records.end()) << name;
    if (found == nullptr) continue;
    EXPECT_EQ(found->shape, first->shape) << name;
  }
}

TEST(TensorTable, KeepsTheOrderAndFindsInACopy) {
  TensorTable copy;
  EXPECT_EQ(copy.find(""), nullptr);
  {
    const TensorTable table({named("b", 1), named("", 2), named("a", 3)});
    copy = table;
  }
  EXPECT_EQ(copy.records()[0].name, "b");
  EXPECT_EQ(copy.find("a"), &copy.records()[2]);
  EXPECT_EQ(copy.find(""), &copy.records()[1]);
  EXPECT_EQ(copy.find("c"), nullptr);
}

}  // namespace
}  // namespace dino::format
