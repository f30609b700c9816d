#include "dino/embed/pictures.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include "dino/base/error.h"
#include "tests/embed/fakes.h"

namespace dino::embed {
namespace {

using testing::FakeBackbone;
using testing::MemoryDataset;
using testing::picture;

const data::Preprocess kGray{.image_size = 8, .channels = 1, .mean = {0.5}, .std = {0.5}};

/** Bright left half, or bright right half. */
image::Image half(bool left, std::uint8_t value = 255) {
  image::Image image(8, 8, 1);
  for (int y = 0; y < 8; ++y)
    for (int x = 0; x < 8; ++x) image.row(y)[x] = (x < 4) == left ? value : 0;
  return image;
}

std::vector<Square> halves() {
  return load_squares(MemoryDataset({half(true), half(false)}), {0, 1}, kGray);
}

TEST(AttentionSheet, ShowsEachHeadOfEachImage) {
  FakeBackbone backbone(4);
  const auto sheet =
      attention_sheet(backbone, halves(), {.preprocess = kGray, .patch_size = 4, .stride = 4});
  EXPECT_EQ(sheet.columns, 4);  // image, mean, two heads
  ASSERT_EQ(sheet.tiles.size(), 8U);
  EXPECT_EQ(sheet.column_titles.size(), 4U);
  const auto& map = sheet.tiles[3].image;  // bright places draw the fake's attention
  ASSERT_EQ(map.width, 2);
  EXPECT_GT(map.row(0)[1], map.row(0)[4]);  // green rises along the color map
}

TEST(PcaSheet, OneColorForOneKindOfPatchInAllImages) {
  FakeBackbone backbone(4);
  const auto sheet =
      pca_sheet(backbone, halves(), {.preprocess = kGray, .patch_size = 4, .stride = 4});
  ASSERT_EQ(sheet.columns, 2);
  ASSERT_EQ(sheet.tiles.size(), 4U);
  const auto& first = sheet.tiles[2].image;
  const auto& second = sheet.tiles[3].image;
  const auto red = [](const image::Image& image, int x) { return image.row(0)[3 * x]; };
  EXPECT_EQ(red(first, 0), red(second, 1));
  EXPECT_NE(red(first, 0), red(first, 1));
}

TEST(NeighborSheet, FramesSayWhetherClassesAgree) {
  FakeBackbone backbone(4);
  const MemoryDataset gallery({half(true), half(true, 250), half(true, 100), half(true, 90)},
                              {0, 1, 1, 0});
  const MemoryDataset queries({half(true, 252)}, {1}, "query");
  const auto bank = extract_features(backbone, gallery, kGray, FeatureKind::Cls, {});
  const auto matrix = extract_features(backbone, queries, kGray, FeatureKind::Cls, {});
  const auto sheet = neighbor_sheet({gallery, bank}, {queries, matrix}, {0}, kGray, {.k = 6});
  ASSERT_EQ(sheet.tiles.size(), 7U);
  EXPECT_EQ(sheet.tiles[0].caption, "class1");
  int good = 0, bad = 0;
  for (const auto& tile : sheet.tiles) {
    good += tile.mark == image::Mark::Good ? 1 : 0;
    bad += tile.mark == image::Mark::Bad ? 1 : 0;
  }
  EXPECT_EQ(good, 2);
  EXPECT_EQ(bad, 2);
  EXPECT_TRUE(sheet.tiles[6].image.empty());  // the gallery has only four

  const auto within = neighbor_sheet({gallery, bank}, {gallery, bank}, {1}, kGray, {.k = 2});
  ASSERT_EQ(within.tiles.size(), 3U);
  EXPECT_EQ(within.tiles[0].image, gallery.load(1)) << "the query";
  for (std::size_t i = 1; i < 3; ++i) EXPECT_NE(within.tiles[i].image, gallery.load(1));
}

TEST(SampleIndices, VisitsClassesInTurn) {
  std::vector<image::Image> images(6, half(true));
  const MemoryDataset labeled(images, {0, 0, 0, 1, 1, 2});
  EXPECT_EQ(sample_indices(labeled, 4), (std::vector<std::int64_t>{0, 3, 5, 1}));
  EXPECT_EQ(sample_indices(labeled, 100).size(), 6U);
  EXPECT_EQ(sample_indices(MemoryDataset(images), 3), (std::vector<std::int64_t>{0, 2, 4}));
}

TEST(LoadSquares, LeavesOutWhatCannotBeRead) {
  const MemoryDataset dataset({half(true), image::Image{}, half(false)});
  EXPECT_EQ(load_squares(dataset, {0, 1, 2}, kGray).size(), 2U);
}

TEST(AttentionSheet, RefusesNoImagesAndSizesThatDiffer) {
  FakeBackbone backbone(4);
  data::Preprocess native = kGray;
  native.fit = data::Fit::Native;
  const MemoryDataset dataset({half(true), picture(12, 8, 1)});
  const MapOptions options{.preprocess = native, .patch_size = 4, .stride = 4};
  EXPECT_THROW(attention_sheet(backbone, {}, options), Error);
  EXPECT_THROW(attention_sheet(backbone, load_squares(dataset, {0, 1}, native), options), Error);
}

}  // namespace
}  // namespace dino::embed
