// Crops, batches and evaluation of samples that 8-bit pixels cannot hold: many bands, 16 bits,
// floats; and batches in smaller types.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <set>

#include "dino/base/bfloat16.h"
#include "dino/base/error.h"
#include "dino/base/file.h"
#include "dino/data/crops/crop_sheet.h"
#include "dino/data/crops/views.h"
#include "dino/data/loading/loader.h"
#include "dino/data/prepare/preprocess.h"
#include "tests/data/fake_data.h"
#include "tests/data/source_folder.h"
#include "tests/image/synthetic.h"

namespace dino::data {
namespace {

MultiCropOptions crops_of(int channels) {
  MultiCropOptions crops;
  crops.global_size = 24;
  crops.local_size = 12;
  crops.local_count = 4;
  crops.mean.assign(static_cast<std::size_t>(channels), 0.5);
  crops.std.assign(static_cast<std::size_t>(channels), 0.25);
  return crops;
}

/** Bands of floats: sample i of image n is n + i / 65,535, finer than 8 bits. */
class WideData : public FakeData {
 public:
  explicit WideData(int channels) : FakeData(20), channels_(channels) {}
  image::Planes load_wide(std::int64_t index) const override {
    image::Planes planes(31, 26, channels_);
    for (std::size_t i = 0; i < planes.values.size(); ++i)
      planes.values[i] = static_cast<float>(index) + static_cast<float>(i) / 65535;
    return planes;
  }

 private:
  int channels_;
};

TEST(FullRange, ViewsAreThoseOf8BitsButFiner) {
  for (const int channels : {1, 3}) {
    const image::Image source = image::synthetic(60, 50, channels, 3);
    MultiCropOptions plain = crops_of(channels);
    plain.hue = 0;                   // Pillow's differs more
    MultiCropOptions third = plain;  // DINOv3's stages
    third.clean_teacher = third.shared_jitter = true;
    third.local_window_step = 4;
    third.gram_size = 32;
    third.blur_kernel = 9;
    MultiCropOptions distorted = third;
    distorted.gram_distorted = true;
    MultiCropOptions padded = plain;
    padded.pad = 10;
    for (const MultiCropOptions& options : {plain, third, distorted, padded})
      for (std::uint64_t index = 0; index < 8; ++index) {
        const SampleKey key{5, 1, index};
        std::vector<image::Image> expected;
        for_each_view(source, options, key,
                      [&](const View& view) { expected.push_back(view.pixels); });
        std::size_t at = 0;
        double sum = 0, count = 0;
        for_each_view(image::to_planes(source), options, key, [&](const WideView& view) {
          const image::Planes levels = image::to_planes(expected.at(at++));
          ASSERT_EQ(view.pixels.width, levels.width);
          for (std::size_t i = 0; i < levels.values.size(); ++i)
            sum += 255 * std::abs(view.pixels.values[i] - levels.values[i]);
          count += static_cast<double>(levels.values.size());
        });
        EXPECT_EQ(at, expected.size());
        EXPECT_LT(sum / count, 1.5) << channels << ' ' << index;
      }
  }
}

TEST(FullRange, BatchesKeepWhatEightBitsWouldLose) {
  const WideData data(5);
  MultiCropOptions crops = crops_of(5);
  crops.local_count = 0;
  crops.jitter = 0;
  crops.blur = crops.solarize = {0, 0, 0};
  crops.global_scale = {1, 1};
  Loader loader(data, crops,
                {.batch_size = 4, .channels = 5, .full_range = true, .seed = 1, .workers = 2});
  const CropBatch batch = loader.next();
  ASSERT_EQ(batch.globals.size(), 2U * 4 * 5 * 24 * 24);
  const std::set<float> levels(batch.globals.data(), batch.globals.data() + 24 * 24);
  EXPECT_GT(levels.size(), 400U);  // of 806 neighboring 16-bit values
  for (std::size_t view = 0; view < 2; ++view)
    for (std::size_t i = 0; i < 4; ++i) {
      const float* image = batch.globals.data() + (view * 4 + i) * 5 * 24 * 24;
      const auto [low, high] = std::minmax_element(image, image + 5 * 24 * 24);
      const auto number = static_cast<float>(batch.indices[i]);
      EXPECT_GE(*low * 0.25F + 0.5F, number - 1e-3F);
      EXPECT_LE(*high * 0.25F + 0.5F, number + 5 * 31 * 26 / 65535.0F + 1e-3F);
    }
}

TEST(FullRange, BatchesDoNotDependOnTheNumberOfWorkers) {
  const WideData data(4);
  std::vector<float> first;
  for (const int workers : {0, 1, 3}) {
    Loader loader(
        data, crops_of(4),
        {.batch_size = 5, .channels = 4, .full_range = true, .seed = 2, .workers = workers});
    loader.recycle(loader.next());
    const CropBatch batch = loader.next();
    const std::vector<float> values(batch.locals.data(), batch.locals.data() + batch.locals.size());
    if (first.empty()) first = values;
    EXPECT_EQ(values, first) << workers;
  }
}

/** Smooth images of three channels. */
class Pictures : public FakeData {
 public:
  Pictures() : FakeData(12, {}, 3) {}
  image::Image load(std::int64_t index) const override {
    return image::synthetic(40, 30, 3, static_cast<unsigned>(index));
  }
};

TEST(BatchTypes, HoldTheSameCrops) {
  const Pictures data;
  MultiCropOptions crops = crops_of(3);
  crops.clean_teacher = true;
  crops.gram_size = 16;
  const auto batch_of = [&](SampleType type, bool full_range) {
    Loader loader(data, crops,
                  {.batch_size = 4, .full_range = full_range, .type = type, .seed = 7});
    return loader.next();
  };
  for (const bool full_range : {false, true}) {
    const CropBatch floats = batch_of(SampleType::F32, full_range);
    const CropBatch halves = batch_of(SampleType::BF16, full_range);
    for (const auto buffer :
         {&CropBatch::globals, &CropBatch::locals, &CropBatch::teacher_globals, &CropBatch::gram}) {
      const AlignedBuffer &expected = floats.*buffer, &actual = halves.*buffer;
      ASSERT_EQ(actual.size(), expected.size());
      ASSERT_GT(actual.size(), 0U);
      EXPECT_EQ(actual.type(), SampleType::BF16);
      for (std::size_t i = 0; i < expected.size(); ++i)
        ASSERT_EQ(actual.data<std::uint16_t>()[i], to_bfloat16(expected.data()[i])) << i;
    }
  }
  const CropBatch floats = batch_of(SampleType::F32, false);
  const CropBatch bytes = batch_of(SampleType::U8, false);
  ASSERT_EQ(bytes.locals.size(), floats.locals.size());
  for (std::size_t i = 0; i < floats.locals.size(); ++i)
    ASSERT_NEAR((bytes.locals.data<std::uint8_t>()[i] / 255.0F - 0.5F) / 0.25F,
                floats.locals.data()[i], 1e-6F);
}

TEST(BatchTypes, GramCropsResizedInFloatsRoundToo) {
  const Pictures data;
  MultiCropOptions crops = crops_of(3);
  crops.gram_size = 32;
  crops.gram_distorted = true;
  const auto batch_of = [&](SampleType type) {
    return Loader(data, crops, {.batch_size = 4, .type = type, .seed = 7}).next();
  };
  const CropBatch floats = batch_of(SampleType::F32), halves = batch_of(SampleType::BF16);
  for (std::size_t i = 0; i < floats.globals.size(); ++i)
    ASSERT_EQ(halves.globals.data<std::uint16_t>()[i], to_bfloat16(floats.globals.data()[i])) << i;
  EXPECT_THROW(batch_of(SampleType::U8), Error);
}

TEST(BatchTypes, RefuseWhatTheyCannotHold) {
  const Pictures data;
  const auto refuse = [&](const LoaderOptions& options, int channels) {
    try {
      Loader loader(data, crops_of(channels), options);
      ADD_FAILURE();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::Config);
      EXPECT_NE(std::string(error.what()).find("full"), std::string::npos) << error.what();
    }
  };
  refuse({.batch_size = 2, .full_range = true, .type = SampleType::U8}, 3);
  refuse({.batch_size = 2, .channels = 5}, 5);
}

TEST(FullRange, EvaluationIsTheResizeInFloats) {
  image::Image source = image::synthetic(61, 43, 3, 2);
  for (auto& sample : source.pixels) sample = 64 + sample / 2;  // what overshoots stays in [0, 1]
  Preprocess eight{.image_size = 28, .resize = 32, .resize_floats = true};
  Preprocess wide = eight;
  wide.full_range = true;
  const Prepared a = Preparer(eight, 4)(source);
  const Prepared b = Preparer(wide, 4)(image::to_planes(source));
  ASSERT_EQ(a.pixels.size(), b.pixels.size());
  for (std::size_t i = 0; i < a.pixels.size(); ++i) ASSERT_NEAR(a.pixels[i], b.pixels[i], 1e-5F);
}

TEST(FullRange, EvaluationReadsBandsFromTheDataSet) {
  const WideData data(5);
  Preprocess p{.image_size = 16, .resize = 16, .channels = 5, .full_range = true};
  p.mean.assign(5, 0.0);
  p.std.assign(5, 1.0);
  const Prepared prepared = Preparer(p, 4)(data, 7);
  EXPECT_EQ(prepared.pixels.size(), 5U * 16 * 16);
  const auto [low, high] = std::ranges::minmax_element(prepared.pixels);
  EXPECT_GE(*low, 7 - 1e-4F);
  EXPECT_LE(*high, 7.1F);
  EXPECT_EQ(eval_crop(data, 7, p).channels, 3);  // for people
  p.full_range = false;
  EXPECT_THROW(Preparer(p, 4), Error);
}

TEST(FullRange, ContactSheetsShowBandsAsPictures) {
  const WideData data(5);
  CropSheetOptions options{.crops = crops_of(5), .full_range = true};
  options.crops.jitter = 0;  // would leave the range of these images
  options.crops.solarize = {0, 0, 0};
  const image::Sheet sheet = crop_sheet(data, {0, 3}, options);
  EXPECT_EQ(sheet.tiles.size(), 2U * (1 + 2 + 4));
  for (const image::Tile& tile : sheet.tiles) {
    EXPECT_EQ(tile.image.channels, 3);
    EXPECT_NE(*std::ranges::max_element(tile.image.pixels),
              *std::ranges::min_element(tile.image.pixels));
  }
  EXPECT_EQ(mask_sheet(data, {0, 3}, options, {.share = 0.5}, 4).tiles.size(), 8U);
}

/** What a recipe says of decoding reaches every kind of source. */
TEST(SourceOptions, DecodeFilesOnTheBackground) {
  const auto bytes = read_file(DINO_SOURCE_DIR "/tests/golden/image/formats/alpha.png");
  const SourceFolder folder;
  folder.write("a.png", text_of(bytes));
  folder.write("all.tar", tar({{"a.png", text_of(bytes)}}));
  folder.write("list.txt", "a.png\n");
  SourceOptions options;
  const image::Image plain = image::decode(bytes, 3);
  options.decode.background = {1, 200, 250};
  const image::Image laid = image::decode(bytes, 3, options.decode);
  EXPECT_NE(plain, laid);
  for (const char* source : {"", "all.tar", "list.txt"}) {
    EXPECT_EQ(open_dataset(folder / source, 3)->load(0), plain) << source;
    EXPECT_EQ(open_dataset(folder / source, options)->load(0), laid) << source;
    EXPECT_EQ(open_dataset(folder / source, options)->load_wide(0),
              image::decode_wide(bytes, 3, options.decode));
  }
  const std::string stream = folder.write("all.tar.gz", gzipped(tar({{"a.png", text_of(bytes)}})));
  EXPECT_EQ(
      first_images(ImageStream(stream, {.channels = 3, .decode = options.decode, .inputs = {}}), 1)
          ->load(0),
      laid);
}

}  // namespace
}  // namespace dino::data
