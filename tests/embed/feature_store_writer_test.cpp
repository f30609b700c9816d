#include "dino/embed/store/feature_store_writer.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "dino/base/error.h"
#include "tests/embed/store_fakes.h"
#include "tests/temp_dir.h"

namespace dino::embed {
namespace {

using testing::contents;
using testing::FakeImage;
using testing::fill;
using testing::from_photos;
using testing::small_header;

std::map<std::string, std::string> undisturbed(const test::TempDir& temp, int images) {
  FeatureStoreWriter writer(temp / "undisturbed", small_header(), from_photos());
  fill(writer, images);
  return contents(temp / "undisturbed");
}

/** What a process that dies at its n-th step leaves behind; false if it got to the end. */
bool fill_and_die(const std::filesystem::path& folder, int images, int at_step) {
  const pid_t child = ::fork();
  if (child == 0) {
    int steps = 0;
    auto options = from_photos();
    options.on_step = [&](std::string_view) {
      if (++steps == at_step) ::raise(SIGKILL);
    };
    try {
      FeatureStoreWriter writer(folder, small_header(), std::move(options));
      fill(writer, images);
    } catch (...) {
      ::_exit(2);
    }
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
  return WIFSIGNALED(status);
}

/** Kills at steps first, first + 1, ... up to `last` or the end; returns how many. */
int expect_undisturbed(int images, int first, int last) {
  const test::TempDir temp;
  const auto expected = undisturbed(temp, images);
  int died = 0;
  for (int step = first; step <= last; ++step, ++died) {
    const auto folder = temp / ("killed" + std::to_string(step));
    if (!fill_and_die(folder, images, step)) break;
    {  // a reader sees whole rows, a prefix of what will be there
      const FeatureStore store(folder);
      for (std::int64_t row = 0; row < store.size(); ++row)
        EXPECT_EQ(store.values(Feature::Patches, row),
                  FakeImage(store.rows()[static_cast<std::size_t>(row)].width - 100).patches);
    }
    FeatureStoreWriter writer(folder, small_header(), from_photos());
    fill(writer, images);
    EXPECT_EQ(contents(folder), expected) << "killed at step " << step;
  }
  return died;
}

TEST(FeatureStoreWriter, KilledWithinACommitAndRestartedIsAsIfUndisturbed) {
  // Steps 1 to 3 add, 4 to 7 are the first commit; 8 and 9 add (one image is bad), 10 to 13 commit.
  EXPECT_EQ(expect_undisturbed(8, 9, 13), 5);
}

TEST(FeatureStoreWriterSlow, KilledAnywhereAndRestartedIsAsIfUndisturbed) {
  EXPECT_GT(expect_undisturbed(23, 1, 1000), 40);
}

TEST(FeatureStoreWriter, SurvivesKillAfterKill) {
  const test::TempDir temp;
  const auto expected = undisturbed(temp, 11);
  for (int kill = 0; fill_and_die(temp / "store", 11, 8); ++kill) ASSERT_LT(kill, 30);
  EXPECT_EQ(contents(temp / "store"), expected);
}

TEST(FeatureStoreWriter, CutsOffWhatAPowerCutLeft) {
  const test::TempDir temp;
  const auto expected = undisturbed(temp, 23);
  const auto folder = temp / "undisturbed";
  const auto append = [&](const char* name, const std::string& text) {
    const auto path = folder / name;
    write_file_atomically(path, std::filesystem::exists(path) ? read_text_file(path) + text : text);
  };
  append("index.jsonl", std::string("\0\0\0garbage", 10));
  append("bad.jsonl", "{\"path");
  append("cls-00004.npy", "half a row");
  append("cls-00005.npy", "a shard nobody counted");
  append(".77-0.tmp", "unfinished");
  EXPECT_EQ(FeatureStore(folder).size(), 19);
  FeatureStoreWriter writer(folder, small_header(), from_photos());
  writer.commit();
  EXPECT_EQ(contents(folder), expected);
}

TEST(FeatureStoreWriter, APathMayHaveSeveralRowsWithALabelEach) {
  const test::TempDir temp;
  FakeImage image(1);
  {
    FeatureStoreWriter writer(temp / "store", small_header(), from_photos());
    writer.add(image.row, image.features());
    image.row.label = 0;
    writer.add(image.row, image.features());
    writer.add(FakeImage(2).row, FakeImage(2).features());
    writer.commit();
  }
  const FeatureStoreWriter writer(temp / "store", small_header(), from_photos());
  EXPECT_EQ(writer.rows_of(image.row.path), 2);
  EXPECT_EQ(writer.rows_of("images/2.png"), 1);
  EXPECT_EQ(writer.rows_of("images/3.png"), 0);
  const FeatureStore store(temp / "store");
  ASSERT_EQ(store.size(), 3);
  EXPECT_EQ(store.find(image.row.path), 0);
  EXPECT_EQ(store.rows()[0].label, 1);
  EXPECT_EQ(store.rows()[1].label, 0);
  EXPECT_EQ(store.values(Feature::Cls, 1), image.cls);
}

TEST(FeatureStoreWriter, AppendsImagesOfAnotherSourceOnRequest) {
  const test::TempDir temp;
  {
    FeatureStoreWriter writer(temp / "store", small_header(), from_photos());
    fill(writer, 6);
  }
  StoreWriterOptions more{.source = "holiday", .class_names = {"night", "odd"}};
  try {
    FeatureStoreWriter writer(temp / "store", small_header(), more);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Usage);
    EXPECT_NE(std::string(error.what()).find("--append"), std::string::npos);
  }
  more.append = true;
  {
    FeatureStoreWriter writer(temp / "store", small_header(), more);
    EXPECT_TRUE(writer.knows("images/3.png"));
    EXPECT_TRUE(writer.knows("images/4.png"));  // bad
    FakeImage image(7);
    image.row.label = 0;
    writer.add(image.row, image.features());
    EXPECT_EQ(writer.rows_of(image.row.path), 1);
    writer.commit();
  }
  const FeatureStore store(temp / "store");
  EXPECT_EQ(store.class_names(), (std::vector<std::string>{"even", "odd", "night"}));
  EXPECT_EQ(store.rows().back().label, 2);
  EXPECT_EQ(store.sources(), (std::vector<std::string>{"photos", "holiday"}));
  FeatureStoreWriter again(temp / "store", small_header(), from_photos());  // both are known now
}

TEST(FeatureStoreWriter, RefusesRowsMadeInAnotherWayNamingEachDifference) {
  const test::TempDir temp;
  {
    FeatureStoreWriter writer(temp / "store", small_header(), from_photos());
    fill(writer, 3);
  }
  const auto before = contents(temp / "store");
  const auto expect = [&](const StoreHeader& header, const std::string& part) {
    try {
      FeatureStoreWriter writer(temp / "store", header, from_photos());
      ADD_FAILURE() << part;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::Usage);
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
    }
  };
  StoreHeader header = small_header();
  header.weights_hash = "4567";
  expect(header, "weights_hash: \"0123\" in the store, \"4567\" now");
  header = small_header();
  header.network = R"({"version":2,"preprocess":{"image_size":64}})";
  expect(header, "network.preprocess.image_size: 32 in the store, 64 now");
  header = small_header();
  header.dtype = format::DType::F16;
  expect(header, "dtype: \"f32\" in the store, \"f16\" now");
  header = small_header({Feature::Cls});
  expect(header, "patches");
  header = small_header();
  header.precision = "bf16";
  expect(header, "precision");
  EXPECT_EQ(contents(temp / "store"), before);
}

TEST(FeatureStoreWriter, RefusesOtherFoldersUnlessForced) {
  const test::TempDir temp;
  std::filesystem::create_directories(temp / "store");
  write_file_atomically(temp / "store" / "notes.txt", "mine");
  EXPECT_THROW(FeatureStoreWriter(temp / "store", small_header(), from_photos()), Error);
  EXPECT_THROW(FeatureStoreWriter(temp / "store" / "notes.txt", small_header(), from_photos()),
               Error);
  auto options = from_photos();
  options.force = true;
  {
    FeatureStoreWriter writer(temp / "store", small_header(), options);
    fill(writer, 3);
  }
  FeatureStoreWriter writer(temp / "store", small_header({Feature::Mean}), options);
  EXPECT_EQ(writer.size(), 0);
  EXPECT_TRUE(std::filesystem::exists(temp / "store" / "notes.txt"));
  EXPECT_FALSE(std::filesystem::exists(temp / "store" / "cls-00000.npy"));
}

TEST(FeatureStoreWriter, IsAlone) {
  const test::TempDir temp;
  FeatureStoreWriter writer(temp / "store", small_header(), from_photos());
  try {
    FeatureStoreWriter second(temp / "store", small_header(), from_photos());
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("in use"), std::string::npos);
  }
}

TEST(FeatureStoreWriter, RetriesBadImagesOnRequest) {
  const test::TempDir temp;
  {
    FeatureStoreWriter writer(temp / "store", small_header(), from_photos());
    fill(writer, 10);
  }
  auto options = from_photos();
  options.retry_bad = true;
  FeatureStoreWriter writer(temp / "store", small_header(), options);
  EXPECT_EQ(writer.bad_count(), 0);
  const FakeImage mended(4);
  ASSERT_FALSE(writer.knows(mended.row.path));
  writer.add(mended.row, mended.features());
  writer.commit();
  EXPECT_EQ(FeatureStore(temp / "store").find(mended.row.path), 8);
}

TEST(FeatureStoreWriter, ChecksSizes) {
  const test::TempDir temp;
  FeatureStoreWriter writer(temp / "store", small_header(), from_photos());
  FakeImage image(0);
  image.patches.pop_back();
  EXPECT_THROW(writer.add(image.row, image.features()), Error);
  StoreHeader header = small_header({Feature::Registers});
  header.registers = 0;
  EXPECT_THROW(FeatureStoreWriter(temp / "other", header, from_photos()), Error);
  EXPECT_THROW(FeatureStoreWriter(temp / "other", small_header({Feature::Mean, Feature::Cls}),
                                  from_photos()),
               Error);
}

}  // namespace
}  // namespace dino::embed
