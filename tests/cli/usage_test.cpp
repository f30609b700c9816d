// Mistakes on the command line: one line on standard error, the nearest name, exit code 2.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/cli/run_dino.h"

namespace dino::cli {
namespace {

struct Mistake {
  const char* arguments;
  const char* expected;
};

class UsageTest : public ::testing::TestWithParam<Mistake> {};

TEST_P(UsageTest, IsExplainedInOneLine) {
  const test::TempDir temp;
  const test::Ran ran = test::run_dino(temp, GetParam().arguments);
  EXPECT_EQ(ran.exit_code, 2);
  EXPECT_EQ(ran.out, "");
  EXPECT_EQ(ran.err.find("dino: error: "), 0U) << ran.err;
  EXPECT_NE(ran.err.find(GetParam().expected), std::string::npos) << ran.err;
  EXPECT_EQ(std::ranges::count(ran.err, '\n'), 1) << ran.err;
}

INSTANTIATE_TEST_SUITE_P(
    Mistakes, UsageTest,
    ::testing::Values(
        Mistake{"trian", "unknown command 'trian' of 'dino'; did you mean 'train'?"},
        Mistake{"show masks --out masks.png", "--recipe is missing"},
        Mistake{"bench tarin", "did you mean 'train'?"},
        Mistake{"train --recipie x.toml",
                "unknown flag '--recipie' of 'dino train'; did you mean '--recipe'?"},
        Mistake{"train --recipie=x.toml", "did you mean '--recipe'?"},
        Mistake{"train --threads 0", "--threads"}, Mistake{"train --threads many", "--threads"},
        Mistake{"train --precision fp8", "--precision"}, Mistake{"train --seed -1", "--seed"},
        Mistake{"train", "--recipe FILE --out DIR"}, Mistake{"train --recipe", "--recipe"},
        Mistake{"train --resume run --out other", "--resume"},
        Mistake{"train --resume /no/such/run", "no run"}, Mistake{"inspect", "path"},
        Mistake{"inspect one two", "two"}, Mistake{"bench", "bench"}));

TEST(Usage, HelpAndVersionGoToStandardOutput) {
  const test::TempDir temp;
  for (const char* arguments : {"--help", "train --help", "bench train --help", "--version"}) {
    const test::Ran ran = test::run_dino(temp, arguments);
    EXPECT_EQ(ran.exit_code, 0);
    EXPECT_NE(ran.out, "");
    EXPECT_EQ(ran.err, "");
  }
  EXPECT_NE(test::run_dino(temp, "--version").out.find("LibTorch"), std::string::npos);
}

TEST(Usage, NoCommandShowsTheHelpAsAMistake) {
  const test::TempDir temp;
  const test::Ran ran = test::run_dino(temp, "");
  EXPECT_EQ(ran.exit_code, 2);
  EXPECT_NE(ran.err.find("train"), std::string::npos);
}

TEST(Usage, AResultThatCannotBeWrittenIsAFailure) {
  const test::TempDir temp;
  write_file_atomically(temp / "list.txt", "");
  const std::string command =
      std::string(DINO_BINARY) +
      " bench train --recipe " DINO_SOURCE_DIR
      "/recipes/bench_tiny28.toml --set train.batch_size=1 --set head.prototypes=16 "
      "--set head.hidden=16 --set head.bottleneck=8 --set backbone.dim=16 --set backbone.heads=1 "
      "--set backbone.depth=1 --steps 1 --warmup 0 >/dev/full 2>/dev/null";
  EXPECT_EQ(WEXITSTATUS(std::system(command.c_str())), 1);
}

}  // namespace
}  // namespace dino::cli
