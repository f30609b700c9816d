#include "dino/embed/store/feature_store.h"

#include <gtest/gtest.h>

#include "dino/arch/architecture.h"
#include "dino/base/error.h"
#include "dino/base/json.h"
#include "dino/data/prepare/preprocess.h"
#include "dino/format/npy.h"
#include "tests/embed/store_fakes.h"
#include "tests/temp_dir.h"

namespace dino::embed {
namespace {

using testing::FakeImage;
using testing::fill;
using testing::from_photos;
using testing::small_header;

const std::vector<Feature> kAll = {Feature::Cls, Feature::Mean, Feature::Registers,
                                   Feature::Patches};

class FeatureStoreTest : public ::testing::Test {
 protected:
  std::filesystem::path folder() const { return temp_ / "store"; }
  FeatureStore make(int count, StoreHeader header) const {
    FeatureStoreWriter writer(folder(), std::move(header), from_photos());
    fill(writer, count);
    return FeatureStore(folder());
  }
  test::TempDir temp_;
};

TEST_F(FeatureStoreTest, GivesBackWhatWasAdded) {
  const FeatureStore store = make(12, small_header(kAll));
  EXPECT_EQ(store.size(), 10);
  EXPECT_EQ(store.bad_count(), 2);
  EXPECT_EQ(store.class_names(), (std::vector<std::string>{"even", "odd"}));
  EXPECT_EQ(store.sources(), std::vector<std::string>{"photos"});
  std::int64_t number = 0;
  for (const StoreRow& row : store.rows()) {
    const FakeImage image(row.width - 100);
    EXPECT_EQ(row.path, image.row.path);
    EXPECT_EQ(row.label, image.row.label);
    EXPECT_EQ(row.height, 50);
    EXPECT_EQ(row.patches(), image.row.patches());
    EXPECT_EQ(store.find(row.path), number);
    EXPECT_EQ(store.values(Feature::Cls, number), image.cls);
    EXPECT_EQ(store.values(Feature::Mean, number), image.mean);
    EXPECT_EQ(store.values(Feature::Registers, number), image.registers);
    EXPECT_EQ(store.values(Feature::Patches, number), image.patches);
    ++number;
  }
  EXPECT_FALSE(store.find("images/4.png"));  // unreadable
  EXPECT_THROW(store.values(Feature::Cls, 10), Error);
  EXPECT_THROW(store.values(Feature::Cls, -1), Error);
}

TEST_F(FeatureStoreTest, ShardsAreArraysOfNumpy) {
  make(12, small_header(kAll));
  const auto shape = [&](const char* name) { return format::read_npy(folder() / name).shape; };
  using Shape = std::vector<std::int64_t>;
  EXPECT_EQ(shape("cls-00000.npy"), (Shape{4, 3}));
  EXPECT_EQ(shape("mean-00002.npy"), (Shape{2, 3}));
  EXPECT_EQ(shape("registers-00001.npy"), (Shape{4, 2, 3}));
  EXPECT_EQ(shape("patches-00000.npy"), (Shape{2 + 4 + 6 + 2, 3}));  // grids of 1, 2, 3, 1 rows
  EXPECT_FALSE(std::filesystem::exists(folder() / "cls-00003.npy"));
}

TEST_F(FeatureStoreTest, HalvesAreRoundedAndNeverInfinite) {
  StoreHeader header = small_header({Feature::Cls});
  header.dtype = format::DType::F16;
  {
    FeatureStoreWriter writer(folder(), header, from_photos());
    FakeImage image(0);
    image.cls = {1.0F / 3, -65504, 1e-7F};
    writer.add(image.row, image.features());
    writer.commit();
    FakeImage huge(1);
    huge.cls = {0, 70000, 0};
    EXPECT_THROW(writer.add(huge.row, huge.features()), Error);
  }
  const FeatureStore store(folder());
  EXPECT_EQ(store.size(), 1);
  EXPECT_EQ(store.values(Feature::Cls, 0), (std::vector<float>{0.333251953125F, -65504, 0x1p-23F}));
  EXPECT_EQ(store.raw(Feature::Cls, 0).size(), 6U);
  EXPECT_EQ(format::read_npy(folder() / "cls-00000.npy").dtype, format::DType::F16);
}

TEST_F(FeatureStoreTest, PathsAreKeptByteForByte) {
  const std::vector<std::string> paths = {"plain.png", "caf\xc3\xa9.png", "latin\xe9.png",
                                          "line\nbreak.png", "latin\\xe9.png"};
  {
    FeatureStoreWriter writer(folder(), small_header({Feature::Cls}), from_photos());
    for (const auto& path : paths) {
      FakeImage image(0);
      image.row.path = path;
      writer.add(image.row, image.features());
    }
    writer.commit();
  }
  const FeatureStore store(folder());
  for (std::size_t i = 0; i < paths.size(); ++i) EXPECT_EQ(store.find(paths[i]), i);
}

TEST_F(FeatureStoreTest, ShowsWhatWasCommittedWhenItWasOpened) {
  FeatureStoreWriter writer(folder(), small_header(), from_photos());
  fill(writer, 3);
  const FeatureStore early(folder());
  fill(writer, 12);
  const FakeImage unfinished(20);
  writer.add(unfinished.row, unfinished.features());
  EXPECT_EQ(early.size(), 3);
  EXPECT_EQ(early.values(Feature::Patches, 2), FakeImage(2).patches);
  EXPECT_EQ(FeatureStore(folder()).size(), 10);
}

TEST_F(FeatureStoreTest, KnowsWhereAnImageLay) {
  StoreHeader header = small_header();
  header.network =
      arch::to_json({.architecture = {}, .preprocess = {.image_size = 32, .fit = data::Fit::Pad}});
  const FeatureStore store = make(2, header);
  EXPECT_EQ(store.placement(0), data::place(100, 50, {.image_size = 32, .fit = data::Fit::Pad}, 8));
}

// ---- damage ----

class DamagedStore : public FeatureStoreTest {
 protected:
  DamagedStore() { make(12, small_header()); }
  /** Reader and writer refuse alike, naming the file, and touch nothing. */
  void expect_refused(ErrorKind kind, const std::string& part) const {
    const auto before = testing::contents(folder());
    const auto check = [&](const auto& open) {
      try {
        open();
        ADD_FAILURE() << "opened";
      } catch (const Error& error) {
        EXPECT_EQ(error.kind(), kind) << error.what();
        EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
      }
    };
    check([&] { FeatureStore store(folder()); });
    check([&] { FeatureStoreWriter writer(folder(), small_header(), from_photos()); });
    EXPECT_EQ(testing::contents(folder()), before);
  }
  void write(const char* name, const std::string& text) const {
    write_file_atomically(folder() / name, text);
  }
  std::string text(const char* name) const { return read_text_file(folder() / name); }
};

TEST_F(DamagedStore, Description) {
  const std::string good = text("store.json");
  for (const std::string& bad :
       {std::string(), std::string("{"), good.substr(0, good.size() / 2), std::string("[]"),
        std::string("{\"kind\": 5}"), std::string("{\"kind\": \"dino feature store\"}")}) {
    write("store.json", bad);
    expect_refused(ErrorKind::Format, "store.json");
  }
  for (const auto& [key, value] :
       std::vector<std::pair<std::string, nlohmann::json>>{{"version", 9},
                                                           {"dim", 0},
                                                           {"dim", "3"},
                                                           {"features", {"cls", "cls"}},
                                                           {"features", {"csl"}},
                                                           {"dtype", "f64"},
                                                           {"images", -1},
                                                           {"shard_rows", 0},
                                                           {"features", nlohmann::json::array()}}) {
    auto json = nlohmann::json::parse(good);
    json[key] = value;
    write("store.json", json.dump());
    expect_refused(ErrorKind::Format, "store.json");
  }
}

TEST_F(DamagedStore, Shards) {
  const std::string good = text("cls-00001.npy");
  std::filesystem::remove(folder() / "cls-00001.npy");
  expect_refused(ErrorKind::Io, "cls-00001.npy");
  for (const std::string& bad : {good.substr(0, good.size() - 1), good.substr(0, 100),
                                 std::string(), "X" + good.substr(1), text("cls-00002.npy")}) {
    write("cls-00001.npy", bad);
    expect_refused(ErrorKind::Format, "cls-00001.npy");
  }
}

TEST_F(DamagedStore, Index) {
  const std::string good = text("index.jsonl");
  const std::size_t second = good.find('\n') + 1, third = good.find('\n', second) + 1;
  std::string garbage = good;
  garbage.replace(second, 5, "\xff\xff\xff\xff\xff");
  write("index.jsonl", garbage);
  expect_refused(ErrorKind::Format, "index.jsonl:2");
  write("index.jsonl", good.substr(0, second) + good.substr(third));  // a line is missing
  expect_refused(ErrorKind::Format, "index.jsonl:2");
  write("index.jsonl", good.substr(0, good.size() - 1));
  expect_refused(ErrorKind::Format, "cut short");
  std::filesystem::remove(folder() / "index.jsonl");
  expect_refused(ErrorKind::Io, "index.jsonl");
}

TEST_F(FeatureStoreTest, SaysThatThereIsNone) {
  std::filesystem::create_directories(folder());
  EXPECT_FALSE(FeatureStore::is_store(folder()));
  EXPECT_THROW(FeatureStore store(folder()), Error);
}

}  // namespace
}  // namespace dino::embed
