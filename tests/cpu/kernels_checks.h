// What the tests of kernels share: numbers in both element types, plain loops in double to compare
// with, and the instruction sets to run on.
#pragma once
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <string>
#include <tuple>
#include <vector>

#include "dino/base/bfloat16.h"
#include "dino/base/rng.h"
#include "dino/cpu/kernels.h"

namespace dino::cpu {

/** Around the width of a vector. */
inline constexpr std::int64_t kLengths[] = {1, 2, 7, 15, 16, 17, 31, 33, 64, 100, 384, 1000};

inline float widened(bf16 x) {
  return std::bit_cast<float>(std::uint32_t{x} << 16);
}

/** Numbers as a kernel takes them: floats, or bf16. */
class Values {
 public:
  Values(Type type, std::int64_t count) : type_(type), floats_(count), halves_(count) {}
  /** Normal around `mean`; what bf16 cannot hold is rounded away. */
  Values(Type type, std::int64_t count, std::uint64_t seed, double mean, double deviation = 1)
      : Values(type, count) {
    Rng rng(seed);
    for (std::size_t i = 0; i < floats_.size(); ++i)
      set(i, static_cast<float>(mean + deviation * rng.normal()));
  }
  void* data() { return type_ == Type::F32 ? static_cast<void*>(floats_.data()) : halves_.data(); }
  void set(std::size_t i, float x) {
    floats_[i] = x;
    halves_[i] = to_bfloat16(x);
  }
  float operator[](std::size_t i) const {
    return type_ == Type::F32 ? floats_[i] : widened(halves_[i]);
  }
  std::vector<double> doubles() const {
    std::vector<double> all;
    for (std::size_t i = 0; i < floats_.size(); ++i) all.push_back(double{(*this)[i]});
    return all;
  }

 private:
  Type type_;
  std::vector<float> floats_;
  std::vector<bf16> halves_;
};

inline std::vector<float> noise(std::int64_t count, std::uint64_t seed, double mean = 0) {
  Rng rng(seed);
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& value : values) value = static_cast<float>(mean + rng.normal());
  return values;
}

/** One instruction set and element type. */
class KernelsTest : public testing::TestWithParam<std::tuple<const Kernels*, Type>> {
 protected:
  const Kernels& set() const { return *std::get<0>(GetParam()); }
  Type type() const { return std::get<1>(GetParam()); }
  /** Of a result of `type`, computed in fp32 and then rounded. */
  double tolerance(double fp32) const { return type() == Type::F32 ? fp32 : fp32 + 4e-3; }

  template <typename Actual>
  void expect_near(const Actual& actual, const std::vector<double>& expected, double relative,
                   const std::string& what) const {
    double top = 0;
    for (const double e : expected) top = std::max(top, std::abs(e));
    for (std::size_t i = 0; i < expected.size(); ++i)
      ASSERT_NEAR(double{actual[i]}, expected[i],
                  relative * std::max(std::abs(expected[i]), 1e-2 * top) + 1e-30)
          << what << " at " << i << " of " << expected.size();
  }
};

inline std::string set_and_type(
    const testing::TestParamInfo<std::tuple<const Kernels*, Type>>& test) {
  const auto& [set, type] = test.param;
  return fmt::format("{}_{}", set->name, type == Type::F32 ? "F32" : "BF16");
}

/** Every instruction set of this machine with every element type. */
inline auto every_set_and_type() {
  return testing::Combine(testing::ValuesIn(supported_kernels()),
                          testing::Values(Type::F32, Type::BF16));
}

}  // namespace dino::cpu
