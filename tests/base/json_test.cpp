#include "dino/base/json.h"

#include <gtest/gtest.h>

#include "dino/base/error.h"
#include "dino/base/file.h"
#include "tests/temp_dir.h"

namespace dino {
namespace {

std::string parse_failure(std::string_view text) {
  try {
    parse_json(text, "read header", "file.bin");
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::Format);
    return e.what();
  }
  return "no error";
}

TEST(ParseJson, RefusesBadTextNamingTheFile) {
  using namespace std::string_view_literals;
  for (const auto text :
       {""sv, "{"sv, "{\"a\":}"sv, "[1,2"sv, "1 2"sv, "nul"sv, "\"\xE9\""sv, "{'a':1}"sv, "[NaN]"sv,
        "1e999"sv, "\0"sv, "{}\0"sv, "{}\0x"sv, "[1,\0 2]"sv, "\"\\ud800\""sv}) {
    EXPECT_EQ(parse_failure(text).find("[read header] file.bin: not valid JSON"), 0u)
        << parse_failure(text);
  }
}

TEST(ParseJson, RefusesTheSameKeyTwice) {
  EXPECT_NE(parse_failure(R"({"a":1,"b":{"a":2},"a":3})").find("'a' appears twice"),
            std::string::npos);
  EXPECT_NE(parse_failure(R"({"b":{"x":2,"x":2}})").find("'x' appears twice"), std::string::npos);
  EXPECT_EQ(parse_json(R"({"a":{"a":[{"a":1},{"a":2}]}})", "", "").size(), 1u);  // one each
}

TEST(ParseJson, RefusesDeepNesting) {
  EXPECT_NE(parse_failure(std::string(1'000'000, '[')).find("nested deeper"), std::string::npos);
  EXPECT_NO_THROW(parse_json(std::string(60, '[') + std::string(60, ']'), "", ""));
}

TEST(ParseJson, MessagesStayShort) {
  EXPECT_LT(parse_failure('"' + std::string(1'000'000, 'x')).size(), 300u);
}

TEST(JsonFile, RoundTripAndErrors) {
  test::TempDir dir;
  const nlohmann::json value = {{"name", "Zürich"}, {"loss", 0.1}, {"steps", {1, 2, 3}}};
  write_json_file(dir / "a.json", value);
  EXPECT_EQ(read_json_file(dir / "a.json"), value);
  EXPECT_THROW(read_json_file(dir / "none.json"), Error);
  write_file_atomically(dir / "bad.json", "{");
  try {
    read_json_file(dir / "bad.json");
    ADD_FAILURE();
  } catch (const Error& e) {
    EXPECT_NE(std::string_view(e.what()).find("bad.json"), std::string_view::npos);
  }
}

TEST(DumpJson, NeverThrowsOnBadBytes) {
  EXPECT_EQ(dump_json("caf\xE9"), "\"caf\xEF\xBF\xBD\"");
  EXPECT_EQ(dump_json({{"a", 1}}), R"({"a":1})");
}

}  // namespace
}  // namespace dino
