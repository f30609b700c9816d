// How far features are from what they should be.
#pragma once
#include <gtest/gtest.h>
#include <torch/types.h>

namespace dino::model {

/** Of all elements. */
inline double largest_difference(const torch::Tensor& actual, const torch::Tensor& expected) {
  EXPECT_EQ(actual.sizes(), expected.sizes());
  if (actual.sizes() != expected.sizes()) return 1e9;
  return (actual - expected).abs().max().item<double>();
}

/** The same over the largest expected value. */
inline double relative_error(const torch::Tensor& actual, const torch::Tensor& expected) {
  return largest_difference(actual, expected) / expected.abs().max().item<double>();
}

/** Of the vectors along the last axis. */
inline double lowest_cosine(const torch::Tensor& actual, const torch::Tensor& expected) {
  return torch::cosine_similarity(actual, expected, -1).min().item<double>();
}

}  // namespace dino::model
