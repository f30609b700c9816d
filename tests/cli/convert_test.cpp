// dino convert and dino inspect on checkpoints as PyTorch saves them, as a person calls them.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/cli/run_dino.h"

namespace dino::cli {
namespace {

namespace fs = std::filesystem;

class ConvertTest : public testing::Test {
 protected:
  static std::string golden(const std::string& name) {
    return (fs::path(DINO_SOURCE_DIR) / "tests/golden/weights/checkpoints" / name).string();
  }
  std::string at(const std::string& name) const { return (temp_ / name).string(); }
  test::Ran run(const std::string& arguments) const { return test::run_dino(temp_, arguments); }
  /** Converts and expects it to work. */
  nlohmann::json convert(const std::string& from, const std::string& to, const std::string& out,
                         const std::string& more = "") const {
    const test::Ran ran = run(
        fmt::format("convert --json --weights {} --to {} --out {} {}", from, to, at(out), more));
    EXPECT_EQ(ran.exit_code, 0) << ran.err;
    return ran.exit_code == 0 ? ran.json() : nlohmann::json::object();
  }
  void refused(const std::string& arguments, const std::string& part) const {
    const test::Ran ran = run("convert " + arguments);
    EXPECT_EQ(ran.exit_code, 2) << ran.err;
    EXPECT_NE(ran.err.find(part), std::string::npos) << ran.err;
  }
  test::TempDir temp_;
};

TEST_F(ConvertTest, AFullCheckpointThroughEveryForm) {
  const auto own = convert(golden("v1.pth"), "dino", "own.safetensors");
  EXPECT_EQ(own["heads"][0]["name"], "dino_head");
  EXPECT_TRUE(own["changed"].empty());
  EXPECT_EQ(own["feature_difference"], 0.0);

  const auto checkpoint = convert(golden("v1.pth"), "checkpoint", "full.pth");
  EXPECT_EQ(checkpoint["networks"], (nlohmann::json{"student", "teacher"}));
  EXPECT_EQ(checkpoint["left_out"], nlohmann::json{"optimizer"});
  EXPECT_TRUE(checkpoint["changed"].empty());
  convert(at("full.pth"), "dino", "again.safetensors");
  EXPECT_EQ(read_file(temp_ / "again.safetensors"), read_file(temp_ / "own.safetensors"));

  for (const auto& [to, out] :
       {std::pair("official", "official.pth"), {"hf", "folder"}, {"timm", "timm.safetensors"}}) {
    const auto result = convert(at("own.safetensors"), to, out);
    EXPECT_EQ(result["left_out"], nlohmann::json{"dino_head"}) << to;
    EXPECT_TRUE(result["changed"].empty());
    EXPECT_EQ(result["feature_difference"], 0.0);
    // transformers resamples positions in another way, and that is said.
    EXPECT_EQ(result.contains("position_difference"), std::string_view(to) == "hf");
    if (fs::is_regular_file(temp_ / out))
      convert(at(out), "dino", fmt::format("from_{}.safetensors", to));
  }
  EXPECT_EQ(read_file(temp_ / "from_official.safetensors"),
            read_file(temp_ / "from_timm.safetensors"));
  const auto positions = [&](const std::string& more) {
    const auto result = convert(at("folder"), "dino", "from_hf.safetensors", "--force " + more);
    return result["network"]["architecture"]["vit"]["positions"];
  };
  EXPECT_EQ(positions(""), "learned_size");
  EXPECT_EQ(positions("--positions learned_offset"), "learned_offset");
}

TEST_F(ConvertTest, AReleasedClassifier) {
  const std::string backbone = golden("v2_teacher.pth") + " --heads " + golden("v2_linear.pth");
  const auto hf = convert(backbone, "hf", "folder");
  EXPECT_EQ(hf["left_out"], (nlohmann::json{"dino_head", "ibot_head"}));
  const auto back = convert(at("folder"), "classifier", "linear.pth");
  EXPECT_EQ(back["heads"][0]["input"], "cls+mean");
  EXPECT_EQ(back["heads"][0]["outputs"], 10);
  EXPECT_TRUE(fs::exists(temp_ / "linear.pth"));
}

TEST_F(ConvertTest, RefusesWhatWouldBeLost) {
  const std::string out = " --out " + at("out.pth");
  refused("--weights " + golden("v2_teacher.pth") + " --heads " + golden("v2_linear.pth") +
              " --to checkpoint" + out,
          "a checkpoint has no classifier");
  refused("--weights " + golden("v2_teacher.pth") + " --to timm" + out, "mask_token");
  refused("--weights " + golden("v2_teacher.pth") + " --to classifier" + out, "--heads FILE");
  refused("--weights " + golden("v1.pth") + " --to official --positions rope" + out, "rope");
  refused("--weights " + golden("v3_teacher.pth") + " --positions learned_size --to official" + out,
          "no learned table");
  EXPECT_FALSE(fs::exists(temp_ / "out.pth"));
}

TEST_F(ConvertTest, InspectListsHeads) {
  const auto of = [&](const char* name) { return run("inspect --json " + golden(name)).json(); };
  const auto v2 = of("v2_model.pth");
  EXPECT_EQ(v2["networks"], (nlohmann::json{"teacher", "student"}));
  EXPECT_EQ(v2["weights"]["heads"][1]["text"], "16 -> 24 -> 24 -> 8 -> 12 prototypes, weight norm");
  const auto linear = of("v1_linear.pth");
  EXPECT_EQ(linear["kind"], "heads");
  EXPECT_EQ(linear["heads"][0]["text"], "64 -> 10 classes");
}

}  // namespace
}  // namespace dino::cli
