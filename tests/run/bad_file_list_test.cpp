#include "dino/run/bad_file_list.h"

#include <gtest/gtest.h>

#include <fstream>
#include <vector>

#include "dino/base/file.h"
#include "tests/temp_dir.h"

namespace dino::run {
namespace {

using data::BadFile;
using data::BadReason;

TEST(BadFileList, ListsEachFileOnceOverSessions) {
  const test::TempDir temp;
  const auto path = temp / "bad_files.jsonl";
  {
    BadFileList list(path);
    EXPECT_EQ(list.summary(), "");
    list.add({});
    EXPECT_FALSE(std::filesystem::exists(path));
    list.add(std::vector<BadFile>{{"a", BadReason::Empty, "no bytes"},
                                  {"b", BadReason::Truncated, "ends"},
                                  {"a", BadReason::Empty, "no bytes"}});
    EXPECT_EQ(list.summary(), "2 bad (1 empty, 1 truncated)");
  }
  std::ofstream(path, std::ios::app) << "{\"name\": \"cut o";  // killed while writing
  BadFileList list(path);
  EXPECT_EQ(list.count(), 2);
  list.add(std::vector<BadFile>{{"b", BadReason::Truncated, "ends"},
                                {"c\"\n", BadReason::Truncated, "ends"}});
  EXPECT_EQ(list.summary(), "3 bad (2 truncated, 1 empty)");
  EXPECT_EQ(read_text_file(path),
            "{\"message\":\"no bytes\",\"name\":\"a\",\"reason\":\"empty\"}\n"
            "{\"message\":\"ends\",\"name\":\"b\",\"reason\":\"truncated\"}\n"
            "{\"message\":\"ends\",\"name\":\"c\\\"\\n\",\"reason\":\"truncated\"}\n");
}

}  // namespace
}  // namespace dino::run
