#include "dino/base/json_lines.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace dino {
namespace {

TEST(ParseJsonIfValid, GivesNothingInPlaceOfAnError) {
  EXPECT_EQ(parse_json_if_valid(R"({"a": [1, null]})")->at("a")[0], 1);
  EXPECT_TRUE(parse_json_if_valid("null")->is_null());
  for (const std::string text : {"", "{", R"({"a": 1, "a": 2})", "\xff", "{} {}", "1e999"})
    EXPECT_FALSE(parse_json_if_valid(text)) << text;
  EXPECT_FALSE(parse_json_if_valid(std::string(10'000, '[')));
}

TEST(ForEachJsonLine, PassesOverWhatIsNoObject) {
  std::vector<std::string> lines;
  std::vector<int> values;
  const std::string text =
      "{\"a\": 1}\n\n[2]\nhalf {\n {\"a\": 3} \r\n{\"b\n{\"a\": 4}\n{\"a\": 5}";
  for_each_json_line(text, [&](const nlohmann::json& object, std::string_view line) {
    values.push_back(object["a"]);
    lines.emplace_back(line);
  });
  EXPECT_EQ(values, (std::vector{1, 3, 4}));  // the last line is not finished
  EXPECT_EQ(lines, (std::vector<std::string>{"{\"a\": 1}", " {\"a\": 3} \r", "{\"a\": 4}"}));
  for_each_json_line("", [](const auto&, auto) { FAIL(); });
}

}  // namespace
}  // namespace dino
