// What needs no LibTorch neither loads nor needs the module that brings it; what does says so if
// the module is not there or not right.
#include <dlfcn.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <link.h>

#include <filesystem>

#include "tests/cli/run_dino.h"

namespace dino::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* kImages = DINO_SOURCE_DIR "/tests/golden/image/files";
constexpr const char* kRecipe = DINO_SOURCE_DIR "/recipes/smoke.toml";
constexpr const char* kNeedsTorch =
    " bench infer --model dino_vits16 --size 32 --runs 1 --warmup 0";

/** The program alone, as if it had been copied somewhere without its module. */
class LoneProgram : public ::testing::Test {
 protected:
  LoneProgram() { fs::copy_file(DINO_BINARY, std::string(temp_ / "dino")); }

  test::Ran run(const std::string& arguments) const {
    return test::run_command(temp_, (temp_ / "dino").string() + arguments);
  }
  std::string module() const { return temp_ / "dino_torch.so"; }

  void expect_failure(const std::string& said) const {
    const test::Ran ran = run(kNeedsTorch);
    EXPECT_EQ(ran.exit_code, 1);
    EXPECT_EQ(ran.out, "");
    EXPECT_EQ(ran.err.find("dino: error: [start] "), 0U) << ran.err;
    EXPECT_NE(ran.err.find("dino_torch.so"), std::string::npos) << ran.err;
    EXPECT_NE(ran.err.find(said), std::string::npos) << ran.err;
  }

  const test::TempDir temp_;
};

TEST_F(LoneProgram, DoesAllThatNeedsNoNetwork) {
  const std::string out = temp_ / "";
  for (const std::string& arguments :
       {std::string(" --help"), std::string(" --version"), std::string(" embed --help"),
        fmt::format(" inspect {}", kImages), fmt::format(" inspect data {} --stats", kImages),
        fmt::format(" data pack {} {}/pack --size 16", kImages, out),
        fmt::format(" show crops {} --recipe {} --count 1 --out {}/crops.png", kImages, kRecipe,
                    out),
        fmt::format(" bench data {} --recipe {} --seconds 0.1", kImages, kRecipe)}) {
    const test::Ran ran = run(arguments);
    EXPECT_EQ(ran.exit_code, 0) << arguments << ran.err;
    EXPECT_NE(ran.out, "") << arguments;
  }
}

TEST_F(LoneProgram, FindsMistakesBeforeItMissesTheModule) {
  EXPECT_EQ(run(" embed --out somewhere").exit_code, 2);
  EXPECT_EQ(run(" train --resume /no/such/run").exit_code, 2);
  const test::Ran ran = run(fmt::format(" bench train --recipe {} --set optim.lr=-1", kRecipe));
  EXPECT_NE(ran.err.find("optim.lr"), std::string::npos) << ran.err;
}

TEST_F(LoneProgram, NamesTheModuleThatIsMissing) {
  expect_failure(temp_ / "dino_torch.so");
}

TEST_F(LoneProgram, RefusesADamagedModule) {
  write_file_atomically(module(), "not a library");
  expect_failure("cannot be loaded");
}

TEST_F(LoneProgram, RefusesAnotherLibraryThanItsOwn) {
  void* other = dlopen("libz.so.1", RTLD_LAZY);
  ASSERT_NE(other, nullptr);
  const link_map* loaded = nullptr;
  ASSERT_EQ(dlinfo(other, RTLD_DI_LINKMAP, &loaded), 0);
  fs::copy_file(loaded->l_name, module());
  dlclose(other);
  expect_failure("version");
}

TEST(TorchModule, LoadsLibTorchOnlyWhenItIsNeeded) {
  const test::TempDir temp;
  const auto libraries = [&](const std::string& arguments) {
    return test::run_command(temp, "LD_DEBUG=files " DINO_BINARY + arguments).err;
  };
  const std::string without = libraries(" --version");
  EXPECT_NE(without.find("libstdc++"), std::string::npos);
  EXPECT_EQ(without.find("libtorch"), std::string::npos);
  EXPECT_EQ(without.find("libgomp"), std::string::npos);
  EXPECT_NE(libraries(kNeedsTorch).find("libtorch"), std::string::npos);
}

}  // namespace
}  // namespace dino::cli
