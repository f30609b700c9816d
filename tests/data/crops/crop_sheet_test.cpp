#include "dino/data/crops/crop_sheet.h"

#include <gtest/gtest.h>

#include <fmt/format.h>

#include "dino/base/error.h"
#include "tests/data/crops/one_view.h"

namespace dino::data {
namespace {

/** Two images; the second cannot be read. */
class OneGoodOneBad : public Dataset {
 public:
  std::int64_t size() const override { return 2; }
  image::Image load(std::int64_t index) const override {
    if (index == 1) fail(ErrorKind::Format, "[decode] truncated");
    image::Image image(28, 28, 1);
    for (std::size_t i = 0; i < image.pixels.size(); ++i)
      image.pixels[i] = static_cast<std::uint8_t>(i * 7 % 256);
    return image;
  }
  std::string name(std::int64_t) const override { return "image"; }
  std::int64_t label(std::int64_t) const override { return -1; }
  const std::vector<std::string>& class_names() const override { return names_; }

 private:
  std::vector<std::string> names_;
};

MultiCropOptions gray_crops() {
  MultiCropOptions options;
  options.global_size = 28;
  options.local_size = 14;
  options.local_count = 4;
  options.mean = {0.5};
  options.std = {0.5};
  return options;
}

TEST(CropSheet, ShowsTheViewsTrainingWouldSee) {
  const OneGoodOneBad dataset;
  const auto sheet =
      crop_sheet(dataset, {0, 1}, {.crops = gray_crops(), .seed = 5, .max_locals = 3});
  EXPECT_EQ(sheet.columns, 6);  // the image, two global crops, three of four local ones
  ASSERT_EQ(sheet.tiles.size(), 6U);
  EXPECT_EQ(sheet.column_titles.size(), 6U);
  EXPECT_EQ(sheet.column_titles[5], "local 3");
  EXPECT_EQ(sheet.tiles[0].image.width, 9 * 28) << "enlarged by a whole factor";
  EXPECT_EQ(sheet.tiles[1].image.width, 28);
  EXPECT_EQ(sheet.tiles[4].image.width, 14);
  EXPECT_EQ(sheet.tiles[4].image, crop_view(dataset.load(0), 3, gray_crops(), Rng(5, 0, 0, 3)));
  EXPECT_EQ(sheet.tiles[4].caption.rfind("14 px, ", 0), 0U) << sheet.tiles[4].caption;
}

TEST(CropSheet, OutlinesLieWhereTheCropsWereCut) {
  const OneGoodOneBad dataset;
  MultiCropOptions crops = gray_crops();
  crops.local_count = 0;
  const auto sheet = crop_sheet(dataset, {0}, {.crops = crops});
  const image::Image& picture = sheet.tiles[0].image;
  const auto record = draw_crop(28, 28, 0, crops, Rng(0, 0, 0, 0));
  const std::uint8_t* corner = picture.row(9 * record.top) + 3 * 9 * record.left;
  EXPECT_GT(corner[0], corner[2] + 100) << "red";
}

TEST(CropSheet, SaysWhatAllCropsShare) {
  const OneGoodOneBad dataset;
  CropSheetOptions options{.crops = gray_crops()};
  options.crops.shared_jitter = true;
  options.crops.jitter = 1;
  const auto sheet = crop_sheet(dataset, {0}, options);
  EXPECT_EQ(sheet.tiles[0].caption, "28 x 28 px; in all crops: contrast");
}

TEST(CropSheet, LargeViewsAreReduced) {
  const OneGoodOneBad dataset;
  CropSheetOptions options{.crops = gray_crops()};
  options.crops.clean_teacher = true;
  options.mixes = {.probability = {0.5, 0.5},
                   .global_size = {256, 512},
                   .local_size = {128, 128},
                   .gram_size = {512, 512}};
  options.max_locals = 1;
  const auto sheet = crop_sheet(dataset, {0, 0}, options);
  EXPECT_EQ(sheet.columns, 8);  // image, 2 global, 2 teacher's, 2 Gram, 1 local
  ASSERT_EQ(sheet.tiles.size(), 16U);
  EXPECT_EQ(sheet.tiles[1].image.width, 256);
  EXPECT_EQ(sheet.tiles[7].image.width, 128);
  EXPECT_EQ(sheet.tiles[5].image.width, 256);
  EXPECT_EQ(sheet.tiles[5].caption.rfind("512 px", 0), 0U);
  EXPECT_EQ(sheet.tiles[8 + 1].image.width, 256) << "the second row shows the second mix";
}

TEST(CropSheet, ShowsWhatEvaluationFeeds) {
  const OneGoodOneBad dataset;
  const Preprocess evaluation{
      .image_size = 20, .channels = 1, .mean = {0.5}, .std = {0.5}, .fit = Fit::Stretch};
  const auto sheet =
      crop_sheet(dataset, {0}, {.crops = gray_crops(), .max_locals = 0, .evaluation = evaluation});
  EXPECT_EQ(sheet.column_titles,
            (std::vector<std::string>{"image", "evaluation", "global 1", "global 2"}));
  EXPECT_EQ(sheet.tiles[1].image, eval_crop(dataset.load(0), evaluation));
}

TEST(CropSheet, NothingReadableIsAnEmptySheet) {
  EXPECT_TRUE(crop_sheet(OneGoodOneBad(), {1}, {.crops = gray_crops()}).tiles.empty());
  EXPECT_TRUE(
      mask_sheet(OneGoodOneBad(), {1}, {.crops = gray_crops()}, {.share = 0.5}, 7).tiles.empty());
}

TEST(MaskSheet, CoversExactlyTheMaskedPatches) {
  const OneGoodOneBad dataset;
  const CropSheetOptions options{.crops = gray_crops(), .seed = 2};
  const auto sheet =
      mask_sheet(dataset, {0, 1, 0}, options, {.share = 0.5, .ratio = {0.25, 0.5}}, 7);
  ASSERT_EQ(sheet.tiles.size(), 8U);  // two images of two views, plain and masked
  int masked_views = 0;
  for (std::size_t i = 0; i < sheet.tiles.size(); i += 2) {
    const image::Image &plain = sheet.tiles[i].image, &masked = sheet.tiles[i + 1].image;
    int covered = 0;
    for (int y = 3; y < 28; y += 7)
      for (int x = 3; x < 28; x += 7) {
        const std::uint8_t* seen = masked.row(y) + 3 * x;
        const bool hidden = seen[0] == 96 && seen[2] == 104;
        covered += hidden;
        if (!hidden) {
          EXPECT_EQ(seen[0], plain.row(y)[x]);
        }
      }
    const std::string& caption = sheet.tiles[i + 1].caption;
    EXPECT_EQ(caption.rfind(covered == 0 ? "no mask" : fmt::format("{} of 16", covered), 0), 0U)
        << caption;
    masked_views += covered > 0;
  }
  EXPECT_EQ(masked_views, 2) << "half of four views";
}

TEST(MaskSheet, RefusesARecipeWithoutMasks) {
  EXPECT_THROW(mask_sheet(OneGoodOneBad(), {0}, {.crops = gray_crops()}, {}, 7), Error);
}

}  // namespace
}  // namespace dino::data
