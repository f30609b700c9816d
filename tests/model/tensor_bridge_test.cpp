#include "dino/model/tensor_bridge.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include "dino/base/error.h"

namespace dino::model {
namespace {

std::vector<NamedTensor> state() {
  return {{"a", torch::arange(6).to(torch::kFloat32).view({2, 3})},
          {"b", torch::full({}, 7, torch::kInt64)},
          {"c", torch::ones({4}, torch::kBFloat16)}};
}

TEST(Restore, BringsBackEveryTypeAndShape) {
  const auto saved = to_records(state());
  auto other = state();
  for (auto& [name, tensor] : other) tensor.zero_();
  const float* place = other[0].tensor.const_data_ptr<float>();
  restore(other, saved);
  for (std::size_t i = 0; i < other.size(); ++i)
    EXPECT_TRUE(torch::equal(other[i].tensor, state()[i].tensor)) << other[i].name;
  EXPECT_EQ(other[0].tensor.const_data_ptr<float>(), place) << "in place";
}

TEST(Restore, RecordsKeepWhatTheyWereMadeOf) {
  std::vector<format::TensorRecord> records;
  {
    const torch::Tensor transposed = torch::arange(6).to(torch::kFloat32).view({2, 3}).t();
    records = to_records(std::vector<NamedTensor>{{"t", transposed}});
  }
  EXPECT_EQ(records[0].shape, (std::vector<std::int64_t>{3, 2}));
  EXPECT_TRUE(torch::equal(borrow(records[0]),
                           torch::tensor({0.0F, 3.0F, 1.0F, 4.0F, 2.0F, 5.0F}).view({3, 2})));
}

/** Restoring `given` names `problem`, and changes nothing. */
void expect_refused(std::vector<NamedTensor> given, const std::string& problem) {
  const auto target = state();
  try {
    restore(target, to_records(given));
    FAIL() << problem;
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Config);
    EXPECT_NE(std::string(error.what()).find(problem), std::string::npos) << error.what();
  }
  for (std::size_t i = 0; i < target.size(); ++i)
    EXPECT_TRUE(torch::equal(target[i].tensor, state()[i].tensor)) << target[i].name;
}

TEST(Restore, NamesWhatDoesNotFitAndChangesNothing) {
  auto given = state();
  given[0].tensor = torch::zeros({3, 2});  // as many elements
  expect_refused(given, "a is F32 3 x 2, expected F32 2 x 3");
  given = state();
  given[2].tensor = torch::zeros({1}, torch::kBFloat16);  // would be broadcast
  expect_refused(given, "c is BF16 1, expected BF16 4");
  given = state();
  given[1].tensor = torch::full({}, 1.0);
  expect_refused(given, "b is F32 ");
  given = state();
  given.pop_back();
  expect_refused(given, "c is missing");
  given = state();
  given.push_back({"d", torch::zeros({1})});
  expect_refused(given, "d is not expected");
}

}  // namespace
}  // namespace dino::model
