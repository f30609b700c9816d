// Cases of tests/golden/image/pixel_ops.json: an operation on a synthetic image and the fingerprint
// of Pillow's result.
#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/image/synthetic.h"

namespace dino::image {

inline const nlohmann::json& pixel_golden() {
  static const nlohmann::json golden =
      nlohmann::json::parse(std::ifstream(DINO_SOURCE_DIR "/tests/golden/image/pixel_ops.json"));
  return golden;
}

inline Image source_of(const nlohmann::json& golden_case) {
  const auto& s = golden_case.at("source");
  return synthetic(s[0], s[1], s[2], s[3]);
}

inline void expect_matches(const Image& image, const nlohmann::json& golden_case) {
  SCOPED_TRACE(golden_case.dump());
  EXPECT_EQ(image.width, golden_case.at("out")[0]);
  EXPECT_EQ(image.height, golden_case.at("out")[1]);
  const std::size_t shown = std::min<std::size_t>(image.pixels.size(), 6);
  const std::vector<int> head(image.pixels.begin(),
                              image.pixels.begin() + static_cast<std::ptrdiff_t>(shown));
  EXPECT_EQ(
      head,
      golden_case.at("head").get<std::vector<int>>());  // readable, where the next line is not
  EXPECT_EQ(fingerprint(image), golden_case.at("fingerprint").get<std::string>());
}

/** Runs `operation(image, case)` on every case of one kind. */
template <typename Operation>
void check_golden(const std::string& kind, std::size_t at_least, Operation operation) {
  std::size_t count = 0;
  for (const auto& golden_case : pixel_golden().at("cases"))
    if (golden_case.at("op") == kind) {
      expect_matches(operation(source_of(golden_case), golden_case), golden_case);
      ++count;
    }
  EXPECT_GE(count, at_least);
}

}  // namespace dino::image
