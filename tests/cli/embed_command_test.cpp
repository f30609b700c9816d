// dino embed, embed export and inspect of a store, as a person runs them.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <fstream>
#include <set>

#include "dino/format/npy.h"
#include "dino/image/codecs/encode.h"
#include "tests/cli/run_dino.h"
#include "tests/train/tiny_run.h"

namespace dino::cli {
namespace {

namespace fs = std::filesystem;

/** A trained network and images of many sizes, made once for all tests. */
class EmbedCommand : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    shared_ = new test::TempDir();
    const auto& root = *shared_;
    test::write_noise_folder((root / "train").string(), 32);
    recipe::Recipe recipe = test::tiny_recipe((root / "train").string());
    recipe.train.epochs = 1;
    write_file_atomically(root / "tiny.toml", recipe::to_toml(recipe));
    const auto ran =
        test::run_dino(root, fmt::format("train --recipe {} --out {} -q",
                                         (root / "tiny.toml").string(), (root / "run").string()));
    ASSERT_EQ(ran.exit_code, 0) << ran.err;
    write_images(root / "images", 24);
    write_images(root / "many", 1400);  // so that a signal comes in time
  }
  static void TearDownTestSuite() { delete shared_; }

  /** Two classes; every seventh file is no image. */
  static void write_images(const fs::path& folder, int count) {
    for (int i = 0; i < count; ++i) {
      const fs::path path = folder / (i % 2 == 0 ? "cat" : "dog") / fmt::format("{:03}.png", i);
      fs::create_directories(path.parent_path());
      if (i % 7 == 6) {
        std::ofstream(path) << "not a picture";
        continue;
      }
      image::Image image(20 + i % 5, 24, 3);
      for (std::size_t p = 0; p < image.pixels.size(); ++p)
        image.pixels[p] = static_cast<std::uint8_t>(p * 31 + static_cast<std::size_t>(i) * 57);
      const auto png = image::encode_png(image);  // write_png would wait for the disk
      std::ofstream(path, std::ios::binary)
          .write(reinterpret_cast<const char*>(png.data()),
                 static_cast<std::streamsize>(png.size()));
    }
  }

  test::Ran dino(const std::string& arguments) const { return test::run_dino(temp_, arguments); }
  static std::string run() { return (*shared_ / "run").string(); }
  std::string path(const char* name) const { return (temp_ / name).string(); }
  std::string embed(const char* out, const std::string& more = "",
                    const char* source = "images") const {
    return fmt::format("embed --weights {} --images {} --out {} --json {}", run(),
                       (*shared_ / source).string(), path(out), more);
  }
  /** Same files, same bytes. */
  static void expect_equal(const fs::path& a, const fs::path& b) {
    std::set<std::string> names;
    for (const auto& folder : {a, b})
      for (const auto& entry : fs::directory_iterator(folder))
        names.insert(entry.path().filename().string());
    for (const auto& name : names) {
      ASSERT_TRUE(fs::exists(a / name) && fs::exists(b / name)) << name;
      EXPECT_EQ(read_text_file(a / name), read_text_file(b / name)) << name;
    }
  }

  static test::TempDir* shared_;
  test::TempDir temp_;
};

test::TempDir* EmbedCommand::shared_ = nullptr;

TEST_F(EmbedCommand, MakesAStoreThatInspectDescribes) {
  const auto ran = dino(embed("store", "--store patches,cls --dtype f16"));
  ASSERT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_EQ(ran.json()["images"], 21);
  EXPECT_EQ(ran.json()["bad_images"], 3);
  EXPECT_NE(ran.err.find("3 images cannot be used"), std::string::npos) << ran.err;
  const auto found = dino("inspect --json " + path("store")).json();
  EXPECT_EQ(found["kind"], "feature store");
  EXPECT_EQ(found["images"], 21);
  EXPECT_EQ(found["features"], (nlohmann::json{"cls", "patches"}));
  EXPECT_EQ(found["dtype"], "f16");
  EXPECT_EQ(found["classes"]["cat"], 10);
  EXPECT_EQ(found["grids"], 1);
  EXPECT_NE(dino("inspect " + path("store")).out.find("21 images, 3 could not be read"),
            std::string::npos);
}

TEST_F(EmbedCommand, TheSameCommandAgainAddsWhatIsNew) {
  ASSERT_EQ(dino(embed("store")).exit_code, 0);
  EXPECT_EQ(dino(embed("store")).json()["added"], 0);
  write_images(temp_ / "more", 10);
  const std::string more = fmt::format("embed --weights {} --images {} --out {} --json", run(),
                                       path("more"), path("store"));
  const auto refused = dino(more);
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_NE(refused.err.find("--append"), std::string::npos);
  const auto added = dino(more + " --append");
  EXPECT_EQ(added.json()["added"], 9);
  EXPECT_EQ(added.json()["images"], 30);
}

TEST_F(EmbedCommand, RefusesToMixAndNamesTheDifference) {
  ASSERT_EQ(dino(embed("store")).exit_code, 0);
  const auto expect = [&](const std::string& more, const char* part) {
    const auto ran = dino(embed("store", more));
    EXPECT_EQ(ran.exit_code, 2) << more;
    EXPECT_NE(ran.err.find(part), std::string::npos) << ran.err;
  };
  expect("--dtype f16", "dtype");
  expect("--image-size 64", "image_size");
  expect("--store cls,mean", "features");
  expect("--fit stretch", "fit");
  expect("--store registers --force", "no registers");
  EXPECT_EQ(dino(embed("store", "--dtype f16 --force")).exit_code, 0);
}

TEST_F(EmbedCommand, WritesDownWhatWasComputed) {
  for (const char* precision : {"fp32", "bf16", "int8"}) {
    const auto ran = dino(embed(precision, fmt::format("--precision {}", precision)));
    ASSERT_EQ(ran.exit_code, 0) << ran.err;
    const std::string computed = ran.json()["precision"];
    const auto store = nlohmann::json::parse(read_text_file(temp_ / precision / "store.json"));
    EXPECT_EQ(store["precision"], computed);
    EXPECT_EQ(store["kernels"], nlohmann::json{ran.json()["kernel"]});
    EXPECT_EQ(dino(fmt::format("inspect --json {}", path(precision))).json()["precision"],
              computed);
    EXPECT_EQ(computed == precision, ran.err.find("computed in") == std::string::npos) << ran.err;
    if (std::string(precision) != "bf16") {
      EXPECT_EQ(computed, precision);
    }
  }
  const auto mixed = dino(embed("fp32", "--precision int8"));
  EXPECT_EQ(mixed.exit_code, 2);
  EXPECT_NE(mixed.err.find("precision: \"fp32\" in the store, \"int8\" now"), std::string::npos)
      << mixed.err;
}

TEST_F(EmbedCommand, KnnMatchesClassesByName) {
  write_images(temp_ / "test", 12);
  fs::remove_all(temp_ / "test" / "cat");
  const auto knn = [&](const char* train, const char* test) {
    return dino(
        fmt::format("eval knn --weights {} --train {} --test {} --k 5 --json", run(), train, test));
  };
  const std::string all = (*shared_ / "images").string();
  const auto fewer = knn(all.c_str(), path("test").c_str());
  ASSERT_EQ(fewer.exit_code, 0) << fewer.err;
  EXPECT_EQ(fewer.json()["query_images"], 6);
  EXPECT_EQ(fewer.json()["precision"], "fp32");
  // In a folder of dogs alone they are class 0, in the gallery class 1: the same pictures are
  // found.
  EXPECT_GT(fewer.json()["top5"], 0.9);
  const auto more = knn(path("test").c_str(), all.c_str());
  EXPECT_EQ(more.exit_code, 1);
  EXPECT_NE(more.err.find("1 of the 2 classes"), std::string::npos) << more.err;
  EXPECT_NE(more.err.find("cat"), std::string::npos) << more.err;
}

TEST_F(EmbedCommand, ImagesOfTooManyTokensAreBadImages) {
  const std::string flags = "--fit native --remainder floor --max-tokens 5";
  const auto ran = dino(embed("store", flags));  // 20 to 24 x 24 px, patches of 8 px
  ASSERT_EQ(ran.exit_code, 1) << ran.out;
  EXPECT_NE(ran.err.find("need 6 tokens of 8 px, the limit is 5"), std::string::npos) << ran.err;
  const auto large = dino(embed("large", "--image-size 2800"));
  EXPECT_EQ(large.exit_code, 1);
  EXPECT_NE(large.err.find("--max-tokens"), std::string::npos) << large.err;
}

TEST_F(EmbedCommand, MixedSizesKeepTheirShape) {
  const auto ran = dino(
      embed("store", "--fit short_side --image-size 16 --remainder pad --store patches --batch 3"));
  ASSERT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_GT(dino("inspect --json " + path("store")).json()["grids"], 1);
  // In batches of one: the same up to the rounding of differently tiled products.
  ASSERT_EQ(
      dino(embed("single",
                 "--fit short_side --image-size 16 --remainder pad --store patches --batch 1"))
          .exit_code,
      0);
  const auto exported = [&](const char* store) {
    const std::string file = path(store) + ".npy";
    EXPECT_EQ(dino(fmt::format("embed export {} --to npy --out {}", path(store), file)).exit_code,
              0);
    return format::read_npy(file);
  };
  const format::Array together = exported("store"), alone = exported("single");
  ASSERT_EQ(together.shape, alone.shape);
  for (std::size_t i = 0; i < together.as<float>().size(); ++i)
    ASSERT_NEAR(together.as<float>()[i], alone.as<float>()[i], 1e-5);
  // Refused images are bad images, and the reason says what to do.
  const auto refused = dino(embed("strict", "--fit native --remainder error"));
  EXPECT_NE(refused.err.find("remainder"), std::string::npos) << refused.err;
}

TEST_F(EmbedCommand, ExportsToOneFile) {
  ASSERT_EQ(dino(embed("store", "--store cls,mean")).exit_code, 0);
  const std::string start = fmt::format("embed export {} --out ", path("store"));
  ASSERT_EQ(dino(start + path("f.npy") + " --to npy --features mean,cls").exit_code, 0);
  EXPECT_EQ(dino(start + path("f.npy") + " --to npy").exit_code, 2);
  EXPECT_EQ(dino(start + path("f.npy") + " --to npy --force").exit_code, 0);
  ASSERT_EQ(dino(start + path("f.csv") + " --to csv").exit_code, 0);
  EXPECT_EQ(read_text_file(path("f.csv")).find("path,label,class,cls0,"), 0U);
  ASSERT_EQ(dino(start + path("f.jsonl") + " --to jsonl").exit_code, 0);
  EXPECT_EQ(dino(start + path("f.csv") + " --to csv --features patches --force").exit_code, 2);
  EXPECT_EQ(dino(start + path("f.txt") + " --to parquet").exit_code, 2);
  EXPECT_EQ(dino("embed export /no/such --to csv --out " + path("g.csv")).exit_code, 1);
}

/** Runs `dino embed` until it has committed something, then sends the signal; its exit status. */
int interrupt(const std::string& command, const std::string& store, const char* signal) {
  const std::string script = fmt::format(
      "{0} {1} >/dev/null 2>&1 & until grep -q \"\\\"images\\\": [1-9]\" {2}/store.json "
      "2>/dev/null; "
      "do kill -0 $! || exit 99; done; kill -{3} $!; wait $!",
      DINO_BINARY, command, store, signal);
  return WEXITSTATUS(std::system(fmt::format("bash -c '{}'", script).c_str()));
}

TEST_F(EmbedCommand, KilledAndRestartedIsAsIfUndisturbed) {
  const std::string flags = "--batch 4 --threads 1 --store cls,patches";
  ASSERT_EQ(dino(embed("undisturbed", flags, "many")).exit_code, 0);
  EXPECT_EQ(interrupt(embed("killed", flags + " --save-every 0", "many"), path("killed"), "KILL"),
            128 + 9);
  const auto resumed = dino(embed("killed", flags, "many"));
  EXPECT_EQ(resumed.exit_code, 0) << resumed.err;
  EXPECT_GT(resumed.json()["known"], 0);
  expect_equal(path("undisturbed"), path("killed"));
}

/** A terminal that hangs up tells twice; a cluster warns, then terminates. */
TEST_F(EmbedCommand, HangUpsAndWarningsSaveToo) {
  for (const char* signals : {"HUP $!; kill -HUP", "USR1 $!; kill -TERM", "USR1 $!; kill -HUP"}) {
    const std::string flags = "--batch 4 --threads 1 --save-every 0 --force";
    EXPECT_EQ(interrupt(embed("stopped", flags, "many"), path("stopped"), signals), 130) << signals;
    EXPECT_GT(dino("inspect --json " + path("stopped")).json()["images"], 0);
    std::filesystem::remove_all(path("stopped"));
  }
}

TEST_F(EmbedCommand, CtrlCSavesAndExits130) {
  const std::string flags = "--batch 4 --threads 1";
  EXPECT_EQ(interrupt(embed("stopped", flags + " --save-every 0", "many"), path("stopped"), "INT"),
            130);
  const auto before = dino("inspect --json " + path("stopped")).json()["images"];
  EXPECT_GT(before, 0);
  EXPECT_LT(before, 1200);
  ASSERT_EQ(dino(embed("stopped", flags, "many")).exit_code, 0);
  ASSERT_EQ(dino(embed("undisturbed", flags, "many")).exit_code, 0);
  expect_equal(path("undisturbed"), path("stopped"));
}

}  // namespace
}  // namespace dino::cli
