// dino convert --to onnx, as a person calls it.
#include <gtest/gtest.h>

#include <filesystem>

#include "dino/weights/write.h"
#include "tests/cli/run_dino.h"
#include "tests/onnx/fake_weights.h"

namespace dino::cli {
namespace {

namespace fs = std::filesystem;

class ConvertOnnxTest : public testing::Test {
 protected:
  ConvertOnnxTest() {
    for (const arch::Network& network : test::tiny_networks())
      if (network.architecture.name == "vit_antialias_registers")
        weights::write(weights_, test::fake_weights(network), {});
  }
  test::Ran convert(const std::string& arguments) const {
    return test::run_dino(
        temp_, "convert --to onnx --weights " + weights_.string() + " --json " + arguments);
  }
  test::TempDir temp_;
  fs::path weights_ = temp_ / "tiny.safetensors";
};

TEST_F(ConvertOnnxTest, SaysWhatWasWrittenAndHowWellItAgrees) {
  const test::Ran ran = convert("--out " + (temp_ / "tiny.onnx").string());
  ASSERT_EQ(ran.exit_code, 0) << ran.err;
  const auto result = ran.json();
  EXPECT_GE(result["cosine"].get<double>(), 0.9999);
  EXPECT_EQ(result["bytes"], fs::file_size(temp_ / "tiny.onnx"));
  EXPECT_EQ(result["inputs"][0], "images [batch, 3, height, width]");
  EXPECT_EQ(result["outputs"][2], "registers [batch, 4, 32]");

  const test::Ran half =
      convert("--precision fp16 --force --out " + (temp_ / "tiny.onnx").string());
  ASSERT_EQ(half.exit_code, 0) << half.err;
  EXPECT_LT(half.json()["bytes"].get<double>(), 0.8 * result["bytes"].get<double>());
}

TEST_F(ConvertOnnxTest, LeavesNothingBehindWhenItRefuses) {
  const auto refused = [&](const std::string& arguments, const std::string& part) {
    const test::Ran ran = convert(arguments);
    EXPECT_EQ(ran.exit_code, 2) << ran.err;
    EXPECT_NE(ran.err.find(part), std::string::npos) << ran.err;
  };
  refused("", "--out is missing");
  refused("--out " + (temp_ / "tiny.pb").string(), ".onnx");
  refused("--out " + weights_.string(), ".onnx");
  refused("--precision fp8 --out x.onnx", "--precision");
  EXPECT_FALSE(fs::exists(temp_ / "tiny.pb"));
  const test::Ran dry = convert("--dry-run --out " + (temp_ / "dry.onnx").string());
  EXPECT_EQ(dry.exit_code, 0) << dry.err;
  EXPECT_FALSE(fs::exists(temp_ / "dry.onnx"));
}

}  // namespace
}  // namespace dino::cli
