#include "dino/embed/store/store_export.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "dino/base/error.h"
#include "dino/format/npy.h"
#include "tests/embed/store_fakes.h"
#include "tests/temp_dir.h"

namespace dino::embed {
namespace {

using testing::FakeImage;

class StoreExport : public ::testing::Test {
 protected:
  StoreExport() {
    FeatureStoreWriter writer(
        temp_ / "store",
        testing::small_header({Feature::Cls, Feature::Mean, Feature::Registers, Feature::Patches}),
        testing::from_photos());
    testing::fill(writer, 6);
  }
  FeatureStore store() const { return FeatureStore(temp_ / "store"); }
  format::Array npy(const std::vector<Feature>& features) const {
    export_store(store(), ExportFormat::Npy, features, temp_ / "out.npy");
    return format::read_npy(temp_ / "out.npy");
  }
  std::vector<std::string> lines(ExportFormat format, const std::vector<Feature>& features) const {
    export_store(store(), format, features, temp_ / "out.txt");
    std::istringstream text(read_text_file(temp_ / "out.txt"));
    std::vector<std::string> lines;
    for (std::string line; std::getline(text, line);) lines.push_back(line);
    return lines;
  }
  test::TempDir temp_;
};

TEST_F(StoreExport, NpyJoinsVectors) {
  const auto array = npy({Feature::Cls, Feature::Mean});
  EXPECT_EQ(array.shape, (std::vector<std::int64_t>{5, 6}));
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(array.as<float>()[6 * 2 + i], FakeImage(2).cls[i]);
    EXPECT_EQ(array.as<float>()[6 * 2 + 3 + i], FakeImage(2).mean[i]);
  }
  EXPECT_EQ(npy({Feature::Registers}).shape, (std::vector<std::int64_t>{5, 2, 3}));
  EXPECT_EQ(npy({Feature::Patches}).shape, (std::vector<std::int64_t>{20, 3}));  // mixed grids
}

TEST_F(StoreExport, NpyKeepsOneGridInThreeDimensions) {
  auto header = testing::small_header({Feature::Patches});
  header.dtype = format::DType::F16;
  {
    FeatureStoreWriter writer(temp_ / "even", header, testing::from_photos());
    for (const int i : {1, 7}) writer.add(FakeImage(i).row, FakeImage(i).features());
    writer.commit();
  }
  export_store(FeatureStore(temp_ / "even"), ExportFormat::Npy, {Feature::Patches},
               temp_ / "even.npy");
  const auto array = format::read_npy(temp_ / "even.npy");
  EXPECT_EQ(array.shape, (std::vector<std::int64_t>{2, 4, 3}));
  EXPECT_EQ(array.dtype, format::DType::F16);
}

TEST_F(StoreExport, CsvHasAHeadingAndQuotes) {
  {
    FeatureStoreWriter writer(
        temp_ / "store",
        testing::small_header({Feature::Cls, Feature::Mean, Feature::Registers, Feature::Patches}),
        testing::from_photos());
    FakeImage odd(7);
    odd.row.path = "a,\"b\".png";
    odd.row.label = -1;
    writer.add(odd.row, odd.features());
    writer.commit();
  }
  const auto rows = lines(ExportFormat::Csv, {Feature::Cls});
  ASSERT_EQ(rows.size(), 7U);
  EXPECT_EQ(rows[0], "path,label,class,cls0,cls1,cls2");
  EXPECT_EQ(rows[2], "images/1.png,1,odd,8,8.015625,8.03125");
  EXPECT_EQ(rows[6], "\"a,\"\"b\"\".png\",,,56,56.015625,56.03125");
}

TEST_F(StoreExport, JsonlHoldsEverything) {
  const auto rows = lines(ExportFormat::Jsonl, {Feature::Cls, Feature::Patches});
  ASSERT_EQ(rows.size(), 5U);
  const auto json = nlohmann::json::parse(rows[1]);
  EXPECT_EQ(json.at("path"), "images/1.png");
  EXPECT_EQ(json.at("class"), "odd");
  EXPECT_EQ(json.at("cls").get<std::vector<float>>(), FakeImage(1).cls);
  EXPECT_EQ(json.at("patches").size(), 4U);
  EXPECT_EQ(json.at("patches")[3][2], FakeImage(1).patches[11]);
}

TEST_F(StoreExport, RefusesWhatHasNoFile) {
  const auto refused = [&](ExportFormat format, const std::vector<Feature>& features) {
    EXPECT_THROW(export_store(store(), format, features, temp_ / "no"), Error);
    EXPECT_FALSE(std::filesystem::exists(temp_ / "no"));
  };
  refused(ExportFormat::Csv, {Feature::Patches});
  refused(ExportFormat::Npy, {Feature::Cls, Feature::Patches});
  refused(ExportFormat::Npy, {});
}

}  // namespace
}  // namespace dino::embed
