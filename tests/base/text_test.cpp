#include "dino/base/text.h"

#include <gtest/gtest.h>

namespace dino {
namespace {

using namespace std::string_view_literals;

TEST(Printable, CleanTextIsUnchanged) {
  for (const auto text : {""sv, "plain"sv, "a\\b"sv, "Zürich"sv, "日本語"sv, "\U0001F996"sv})
    EXPECT_EQ(printable(text), text);
}

TEST(Printable, InvalidBytes) {
  EXPECT_EQ(printable("caf\xE9"sv), "caf\\xE9");
  EXPECT_EQ(printable("\x80"
                      "a"sv),
            "\\x80a");                                                 // lone continuation
  EXPECT_EQ(printable("\xC3"sv), "\\xC3");                             // cut short
  EXPECT_EQ(printable("\xE6\x97"sv), "\\xE6\\x97");                    // cut short
  EXPECT_EQ(printable("\xC0\xAF"sv), "\\xC0\\xAF");                    // overlong
  EXPECT_EQ(printable("\xE0\x80\xAF"sv), "\\xE0\\x80\\xAF");           // overlong
  EXPECT_EQ(printable("\xED\xA0\x80"sv), "\\xED\\xA0\\x80");           // surrogate
  EXPECT_EQ(printable("\xF4\x90\x80\x80"sv), "\\xF4\\x90\\x80\\x80");  // above U+10FFFF
  EXPECT_EQ(printable("\xFF\xC3\xBC"sv), "\\xFFü");                    // good text after bad
}

TEST(IsUtf8, CleanAndBroken) {
  EXPECT_TRUE(is_utf8(""));
  EXPECT_TRUE(is_utf8("Zürich\n\x7F"));
  EXPECT_FALSE(is_utf8("caf\xE9"));
  EXPECT_FALSE(is_utf8("\xED\xA0\x80"));
}

TEST(Printable, ControlCharacters) {
  EXPECT_EQ(printable("a\nb\x1B[31m\x7F\0"sv), "a\\x0Ab\\x1B[31m\\x7F\\x00");
  EXPECT_EQ(printable("\xC2\x9B"sv), "\\xC2\\x9B");  // C1: some terminals obey it like ESC [
}

TEST(Duration, ReadsLikeSpeech) {
  EXPECT_EQ(format_duration(0.4), "0 s");
  EXPECT_EQ(format_duration(59.4), "59 s");
  EXPECT_EQ(format_duration(59.6), "1 min 00 s");
  EXPECT_EQ(format_duration(185), "3 min 05 s");
  EXPECT_EQ(format_duration(7620), "2 h 07 min");
  EXPECT_EQ(format_duration(90000), "1 d 01 h");
  EXPECT_EQ(format_duration(-5), "0 s");
  EXPECT_EQ(format_duration(1.0 / 0.0), "?");
}

}  // namespace
}  // namespace dino
