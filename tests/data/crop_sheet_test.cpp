#include "dino/data/crop_sheet.h"

#include <gtest/gtest.h>

#include "dino/base/error.h"

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

MultiCropOptions grey_crops() {
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
  const auto sheet = crop_sheet(dataset, {0, 1}, grey_crops(), 5, 3);
  EXPECT_EQ(sheet.columns, 6);  // the image, two global crops, three of four local ones
  ASSERT_EQ(sheet.tiles.size(), 6U);
  EXPECT_EQ(sheet.column_titles.size(), 6U);
  EXPECT_EQ(sheet.tiles[1].image.width, 28);
  EXPECT_EQ(sheet.tiles[4].image.width, 14);
  EXPECT_EQ(sheet.tiles[4].image, crop_view(dataset.load(0), 3, grey_crops(), Rng(5, 0, 0, 3)));
}

TEST(CropSheet, NothingReadableIsAnEmptySheet) {
  EXPECT_TRUE(crop_sheet(OneGoodOneBad(), {1}, grey_crops(), 0).tiles.empty());
}

}  // namespace
}  // namespace dino::data
