// Event files against the encoding of TensorBoard's own classes
// (tests/golden/train/tensorboard_records.py).
#include "dino/run/tensorboard.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "dino/base/error.h"
#include "dino/base/file.h"
#include "dino/base/json.h"
#include "tests/temp_dir.h"

namespace dino::run {
namespace {

const nlohmann::json& golden() {
  static const nlohmann::json all =
      read_json_file(DINO_SOURCE_DIR "/tests/golden/train/tensorboard_records.json");
  return all;
}

std::string hex(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) text += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return text;
}

std::filesystem::path only_file(const std::filesystem::path& folder) {
  return std::filesystem::directory_iterator(folder)->path();
}

TEST(Tensorboard, Crc32cOfTheStandardCheckString) {
  EXPECT_EQ(crc32c("123456789"), 0xe3069283U);
}

TEST(Tensorboard, ScalarRecordsEqualThePackages) {
  for (const auto& expected : golden()["scalars"]) {
    const std::string event =
        scalars_event(expected["wall_time"], expected["step"], expected["values"].get<Scalars>());
    EXPECT_EQ(hex(tf_record(event)), expected["record"].get<std::string>());
  }
}

TEST(Tensorboard, AResumedFileTellsTensorBoardWhereItContinues) {
  const test::TempDir folder;
  { const EventWriter writer(folder.path(), 12.5, 300); }
  const auto expected = golden()["opening_after_300_steps"];
  EXPECT_EQ(hex(read_text_file(only_file(folder.path()))),
            expected[0].get<std::string>() + expected[1].get<std::string>());
}

// Needs a python3 with the tensorboard package; DINO_PYTHON names another interpreter.
TEST(TensorboardSlow, ThePackageReadsWhatWeWrite) {
  const char* chosen = std::getenv("DINO_PYTHON");
  const std::string python = chosen != nullptr ? chosen : "python3";
  if (std::system((python + " -c 'import tensorboard' 2>/dev/null").c_str()) != 0)
    GTEST_SKIP() << python << " has no tensorboard package; DINO_PYTHON names another interpreter";
  const test::TempDir folder;
  {
    EventWriter first(folder.path(), 1000, 0);
    for (int step = 1; step <= 10; ++step)
      first.write(1000 + step, step, {{"train/loss", 0.5 * step}});
    EventWriter resumed(folder.path(), 2000, 7);  // steps 8 to 10 are written again
    for (int step = 8; step <= 12; ++step)
      resumed.write(2000 + step, step, {{"train/loss", 100.0 * step}});
  }
  const std::string script = fmt::format(
      "from tensorboard.backend.event_processing.event_accumulator import EventAccumulator as A; "
      "a = A('{}'); a.Reload(); "
      "assert [(s.step, s.value) for s in a.Scalars('train/loss')] == "
      "[(i, 0.5 * i if i < 8 else 100.0 * i) for i in range(1, 13)], a.Scalars('train/loss')",
      folder.path().string());
  EXPECT_EQ(std::system(fmt::format("{} -c \"{}\"", python, script).c_str()), 0);
}

}  // namespace
}  // namespace dino::run
