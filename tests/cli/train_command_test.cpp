// dino train, inspect and bench as a person runs them: exit codes, what goes where, Ctrl-C and
// resume.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "dino/image/codecs/encode.h"
#include "tests/cli/run_dino.h"
#include "tests/train/tiny_run.h"

namespace dino::cli {
namespace {

class TrainCommand : public ::testing::Test {
 protected:
  TrainCommand() {
    test::write_noise_folder(temp_ / "images", 32);
    recipe::Recipe recipe = test::tiny_recipe((temp_ / "images").string());
    recipe.train.epochs = 2;
    write_file_atomically(temp_ / "tiny.toml", recipe::to_toml(recipe));
  }
  test::Ran dino(const std::string& arguments) const { return test::run_dino(temp_, arguments); }
  std::string recipe() const { return (temp_ / "tiny.toml").string(); }
  std::string run() const { return (temp_ / "run").string(); }
  /** Exit status of a training that is sent signals once it has written figures. */
  int interrupt_endless(const char* signals) const {
    const std::string endless =
        fmt::format("train --recipe {} --out {} --set train.epochs=100000 -q", recipe(), run());
    const std::string script = fmt::format(
        "{} {} 2>{}/err & while [ ! -s {}/metrics.jsonl ]; do kill -0 $! || exit 99; done; kill "
        "-{} $!; wait $!",
        DINO_BINARY, endless, temp_.path().string(), run(), signals);
    return WEXITSTATUS(std::system(fmt::format("bash -c '{}'", script).c_str()));
  }

  test::TempDir temp_;
};

TEST_F(TrainCommand, TrainsThenRefusesToOverwriteThenInspects) {
  const test::Ran trained = dino(fmt::format("train --recipe {} --out {} --json", recipe(), run()));
  ASSERT_EQ(trained.exit_code, 0) << trained.err;
  EXPECT_EQ(trained.json()["iterations"], 8);
  EXPECT_NE(trained.err.find("8/8"), std::string::npos) << trained.err;  // plain lines when piped
  EXPECT_EQ(trained.err.find('\r'), std::string::npos);

  const test::Ran again = dino(fmt::format("train --recipe {} --out {}", recipe(), run()));
  EXPECT_EQ(again.exit_code, 2);
  EXPECT_NE(again.err.find("--resume"), std::string::npos);

  const test::Ran inspected = dino(fmt::format("inspect {} --json", run()));
  EXPECT_EQ(inspected.json()["newest"]["iteration"], 8);
  const test::Ran checkpoint =
      dino(fmt::format("inspect {}/checkpoints/step_00000008.safetensors --json", run()));
  EXPECT_EQ(checkpoint.json()["kind"], "checkpoint");
  const test::Ran weights =
      dino(fmt::format("inspect {}/weights/backbone_teacher.safetensors --json", run()));
  EXPECT_EQ(weights.json()["kind"], "weights");
  EXPECT_EQ(dino(fmt::format("inspect {} --channels 1 --json", (temp_ / "images").string()))
                .json()["images"],
            32);
}

TEST_F(TrainCommand, ShowsCropsAndMasks) {
  const std::string images = (temp_ / "images").string();
  for (const char* what : {"crops", "masks"}) {
    const std::string png = (temp_ / fmt::format("{}.png", what)).string();
    const test::Ran ran = dino(fmt::format(
        "show {} {} --recipe {} --set masks.share=0.5 -o {} --json", what, images, recipe(), png));
    ASSERT_EQ(ran.exit_code, 0) << ran.err;
    EXPECT_TRUE(std::filesystem::exists(png));
    EXPECT_GT(ran.json()["width"], 100);
  }
  const test::Ran none = dino(fmt::format("show masks {} --recipe {} -o {}", images, recipe(),
                                          (temp_ / "none.png").string()));
  EXPECT_EQ(none.exit_code, 1);
  EXPECT_NE(none.err.find("masks.share = 0"), std::string::npos) << none.err;
}

TEST_F(TrainCommand, BadInputIsOneLineAndExitCodeOne) {
  const auto expect_failure = [&](const std::string& arguments, const char* part) {
    const test::Ran ran = dino(arguments);
    EXPECT_EQ(ran.exit_code, 1) << arguments;
    EXPECT_NE(ran.err.find("dino: error: "), std::string::npos) << ran.err;
    EXPECT_NE(ran.err.find(part), std::string::npos) << ran.err;
    EXPECT_FALSE(std::filesystem::exists(run()));
  };
  const std::string start = fmt::format("train --out {} --recipe {}", run(), recipe());
  expect_failure(start + " --set optim.lrr=1", "optim.lr");
  expect_failure(start + " --set train.batch_size=0", "train.batch_size");
  expect_failure(start + " --set train.batch_size=33", "batch");
  expect_failure(start + " --set data.train='\"/no/such/folder\"'", "/no/such/folder");
  expect_failure(fmt::format("train --out {} --recipe /no/such.toml", run()), "/no/such.toml");
  expect_failure("inspect /no/such/path", "/no/such/path");
}

/** One line that says what helps; a limit far above what the program itself takes. */
TEST_F(TrainCommand, OutOfMemorySaysSo) {
  for (const int batch : {400'000, 1'000'000}) {
    const std::string err = temp_ / "err";
    const int status = std::system(
        fmt::format("bash -c 'ulimit -v 1500000; {} bench train --recipe {} --steps 1 --warmup 0 "
                    "--precision fp32 --threads 1 --set train.batch_size={} >/dev/null 2>{}'",
                    DINO_BINARY, recipe(), batch, err)
            .c_str());
    const std::string text = read_text_file(err);
    EXPECT_EQ(WEXITSTATUS(status), 1) << text;
    EXPECT_NE(text.find("[memory] out of memory"), std::string::npos) << text;
    EXPECT_NE(text.find("train.batch_size"), std::string::npos) << text;
  }
}

TEST_F(TrainCommand, BenchPrintsWhatScriptsRead) {
  const test::Ran ran = dino(fmt::format(
      "bench train --recipe {} --steps 3 --precision fp32 --threads 2 --json", recipe()));
  ASSERT_EQ(ran.exit_code, 0) << ran.err;
  const auto result = ran.json();
  EXPECT_GT(result["images_per_second"], 0.0);
  EXPECT_GE(result["images_per_second_max"], result["images_per_second_min"]);
  EXPECT_GT(result["peak_rss_mb"], 10.0);
  EXPECT_EQ(result["machine"]["threads"], 2);
}

TEST_F(TrainCommand, HangUpsAndWarningsSaveToo) {
  for (const char* signals : {"HUP $!; kill -HUP", "USR1 $!; kill -TERM"}) {
    EXPECT_EQ(interrupt_endless(signals), 130) << signals;
    const auto stopped = dino(fmt::format("inspect {} --json", run())).json();
    EXPECT_GE(stopped["newest"]["iteration"].get<std::int64_t>(), 3) << signals;
    std::filesystem::remove_all(run());
  }
}

TEST_F(TrainCommand, CtrlCSavesAndTheRunResumes) {
  EXPECT_EQ(interrupt_endless("INT"), 130);
  const auto stopped = dino(fmt::format("inspect {} --json", run())).json();
  const auto iteration = stopped["newest"]["iteration"].get<std::int64_t>();
  EXPECT_GE(iteration, 3);
  const double epochs = static_cast<double>(iteration) / 4 + 1;
  const test::Ran resumed =
      dino(fmt::format("train --resume {} --json --set train.epochs={}", run(), epochs));
  EXPECT_EQ(resumed.exit_code, 0) << resumed.err;
  EXPECT_EQ(resumed.json()["iterations"], iteration + 4);
}

}  // namespace
}  // namespace dino::cli
