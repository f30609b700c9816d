// What tests of every family of backbones ask.
#pragma once
#include <gtest/gtest.h>
#include <torch/types.h>

#include <string>
#include <utility>

#include "dino/model/backbone.h"
#include "tests/golden/golden_file.h"
#include "tests/golden/synthetic_weights.h"
#include "tests/model/closeness.h"

namespace dino::model {

/** After backward: every parameter has a gradient, and the first 24 values of these are the
 * golden's. */
inline void expect_gradients(const Backbone& backbone, const golden::GoldenFile& golden,
                             std::initializer_list<const char*> names) {
  const auto parameters = backbone.named_parameters();
  for (const auto& item : parameters) {
    ASSERT_TRUE(item.value().grad().defined()) << item.key();
    EXPECT_GT(item.value().grad().abs().max().item<double>(), 0) << item.key();
  }
  for (const char* name : names) {
    const auto gradient = parameters[name].grad().flatten().slice(0, 0, 24);
    EXPECT_LE(relative_error(gradient, golden[std::string("gradient.") + name]), 1e-4) << name;
  }
}

/** Crops of different sizes in one pass give what each gives alone, to `tolerance`. */
inline void expect_independent_groups(Backbone& backbone, std::pair<int, int> large_size,
                                      std::pair<int, int> small_size, double tolerance) {
  const torch::NoGradGuard no_grad;
  const auto large = golden::image("large", {2, 3, large_size.first, large_size.second});
  const auto small = golden::image("small", {3, 3, small_size.first, small_size.second});
  const auto groups = backbone.forward_groups({{large, {}}, {small, {}}}, Tokens::Cls);
  ASSERT_EQ(groups.size(), 2u);
  EXPECT_FALSE(groups[1].patches.defined());
  EXPECT_LE(relative_error(groups[0].cls, backbone.forward_features(large).cls), tolerance);
  EXPECT_LE(relative_error(groups[1].cls, backbone.forward_features(small).cls), tolerance);
}

inline void expect_bf16_near_fp32(Backbone& backbone) {
  const auto images = golden::image("image", {2, 3, 64, 96});
  const auto expected = backbone.forward_features(images);
  backbone.set_precision(Precision::Bf16);
  const auto actual = backbone.forward_features(images);
  EXPECT_EQ(actual.cls.scalar_type(), torch::kFloat32);
  EXPECT_GE(lowest_cosine(actual.cls, expected.cls), 0.999);
  EXPECT_GE(lowest_cosine(actual.patches, expected.patches), 0.999);
  EXPECT_GT(relative_error(actual.cls, expected.cls), 1e-5);  // it did change something
}

}  // namespace dino::model
