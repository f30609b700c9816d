// What people are told of their samples: which setting would keep the pictures.
#include "dino/data/value_check.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "dino/data/prepare/preprocess.h"
#include "dino/data/survey.h"
#include "dino/format/idx.h"
#include "dino/format/npy.h"
#include "tests/data/fake_data.h"
#include "tests/data/source_folder.h"

namespace dino::data {
namespace {

/** Five gray images of 20 x 20 px whose samples run evenly over [low, high]. */
template <typename Item>
std::vector<Item> ramp(double low, double high) {
  std::vector<Item> items(5 * 20 * 20);
  for (std::size_t i = 0; i < items.size(); ++i) {
    const double share = static_cast<double>(i % 400) / 399;
    items[i] = static_cast<Item>(std::is_integral_v<Item> ? std::round(low + share * (high - low))
                                                          : low + share * (high - low));
  }
  return items;
}

template <typename Item>
std::string write(const SourceFolder& folder, format::DType dtype, const std::vector<Item>& items) {
  const std::vector<std::int64_t> shape = {5, 20, 20};
  format::write_npy(folder / "x.npy", {"", dtype, shape, std::as_bytes(std::span(items))});
  return folder / "x.npy";
}

template <typename Item>
std::string advice_on(format::DType dtype, const std::vector<Item>& items, bool full_range = false,
                      std::optional<image::ValueRange> range = std::nullopt) {
  const SourceFolder folder;
  SourceOptions options;
  options.channels = 1;
  options.decode.value_range = range;
  const auto data = open_dataset(write(folder, dtype, items), options);
  std::string text;
  for (const auto& line : value_advice(*data, options.decode, full_range)) text += line + "\n";
  return text;
}

TEST(ValueAdvice, NamesTheRangeThatKeepsThePictures) {
  using format::DType;
  const auto sets = [](const std::string& advice, const std::string& range) {
    EXPECT_NE(advice.find("data.value_range = " + range), std::string::npos) << advice;
  };
  sets(advice_on(DType::U16, ramp<std::uint16_t>(0, 4095)), "[0, 4095]");
  sets(advice_on(DType::U16, ramp<std::uint16_t>(12, 3900)), "[0, 4095]");
  sets(advice_on(DType::U16, ramp<std::uint16_t>(0, 1000)), "[0, 1023]");
  sets(advice_on(DType::U16, ramp<std::uint16_t>(0, 16383)), "[0, 16383]");
  sets(advice_on(DType::U16, ramp<std::uint16_t>(30000, 31000)), "[30000, 31000]");
  sets(advice_on(DType::I16, ramp<std::int16_t>(-1000, 3000)), "[-1000, 3000]");
  sets(advice_on(DType::U8, ramp<std::uint8_t>(0, 1)), "[0, 1]");
  sets(advice_on(DType::U8, ramp<std::uint8_t>(0, 15)), "[0, 15]");
  sets(advice_on(DType::F32, ramp<float>(0, 255)), "[0, 255]");
  sets(advice_on(DType::F64, ramp<double>(0, 4000)), "[0, 4095]");
  sets(advice_on(DType::F32, ramp<float>(-1, 1)), "[-1, 1]");
  sets(advice_on(DType::F32, ramp<float>(-2.1, 2.6)), "[-2.1, 2.6]");
  sets(advice_on(DType::F32, ramp<float>(250, 320)), "[250, 320]");
  sets(advice_on(DType::F32, ramp<float>(0, 0.1)), "[0, 0.1]");
  // A few hot pixels do not hide the pictures.
  auto hot = ramp<std::uint16_t>(0, 4095);
  hot[7] = 65535;
  sets(advice_on(DType::U16, hot), "[0, 4095]");
  // What is advised is enough.
  EXPECT_EQ(advice_on(DType::U16, ramp<std::uint16_t>(0, 4095), false, {{0, 4095}}), "");
  EXPECT_EQ(advice_on(DType::F32, ramp<float>(250, 320), false, {{250, 320}}), "");
}

TEST(ValueAdvice, IsSilentWhereNothingIsLost) {
  using format::DType;
  EXPECT_EQ(advice_on(DType::U8, ramp<std::uint8_t>(0, 255)), "");
  EXPECT_EQ(advice_on(DType::U8, ramp<std::uint8_t>(40, 90)), "");
  EXPECT_EQ(advice_on(DType::U16, ramp<std::uint16_t>(100, 60000)), "");
  EXPECT_EQ(advice_on(DType::Bool, ramp<std::uint8_t>(0, 1)), "");
  EXPECT_EQ(advice_on(DType::F32, ramp<float>(0, 1)), "");
  auto overshot = ramp<float>(0, 1);
  overshot[3] = 1.002F;
  EXPECT_EQ(advice_on(DType::F32, overshot), "");
  EXPECT_EQ(advice_on(DType::U16, ramp<std::uint16_t>(0, 4095), true), "");  // kept as they are
  const FakeData bad(20, {0, 1, 2, 3});
  EXPECT_EQ(value_advice(bad, {}, false).size(), 1U);  // flat, so few levels; the bad are left out
}

TEST(ValueAdvice, OfOneValueNamesNoRange) {
  using format::DType;
  for (const int value : {0, 7, 255}) {
    const std::string advice =
        advice_on(DType::U8, std::vector<std::uint8_t>(2000, static_cast<std::uint8_t>(value)));
    EXPECT_NE(advice.find(fmt::format("all samples are {}", value)), std::string::npos) << advice;
    EXPECT_EQ(advice.find("value_range"), std::string::npos) << advice;
  }
}

TEST(ValueAdvice, CountsWhatIsNoData) {
  auto items = ramp<float>(0, 1);
  for (const std::size_t at : {3, 4, 5, 411}) items[at] = std::numeric_limits<float>::quiet_NaN();
  for (const bool full_range : {false, true}) {
    const std::string advice = advice_on(format::DType::F32, items, full_range);
    EXPECT_NE(advice.find("4 samples (0.20 %), in 2 of the images, are no data"), std::string::npos)
        << advice;
  }
}

TEST(ValueTally, KeepsKindsApart) {
  ValueTally tally;
  const image::SampleReport dark{.type = "uint16",
                                 .range = {0, 65535},
                                 .samples = 10,
                                 .lowest = 3,
                                 .highest = 9,
                                 .low = 3,
                                 .high = 9};
  image::SampleReport bright = dark;
  bright.lowest = bright.low = 5;
  bright.highest = bright.high = 60000;
  bright.clipped = 2;
  tally.add("tiff", dark);
  tally.add("tiff", bright);
  tally.add("png", dark);
  image::SampleReport other = dark;
  other.range = {0, 4095};
  tally.add("tiff", other);
  image::SampleReport empty{.type = "uint16", .range = {0, 65535}, .samples = 4, .no_data = 4};
  tally.add("tiff", empty);  // its limits are none
  ASSERT_EQ(tally.kinds().size(), 3U);
  const ValueKind& first = tally.kinds()[0];
  EXPECT_EQ(first.images, 3);
  EXPECT_EQ(first.images_with_gaps, 1);
  EXPECT_EQ(first.samples.samples, 24);
  EXPECT_EQ(first.samples.clipped, 2);
  EXPECT_EQ(first.samples.no_data, 4);
  EXPECT_EQ(first.samples.lowest, 3);
  EXPECT_EQ(first.samples.highest, 60000);
}

TEST(Survey, TellsTypeRangeAndWhatIsCut) {
  const SourceFolder folder;
  auto items = ramp<float>(0, 2);
  items[0] = std::numeric_limits<float>::infinity();
  const auto data = open_dataset(write(folder, format::DType::F32, items), 1);
  ThreadPool pool(1);
  const Survey found = survey(*data, {.statistics = true}, pool);
  ASSERT_EQ(found.values.size(), 1U);
  const image::SampleReport& samples = found.values[0].samples;
  EXPECT_EQ(found.values[0].format, "array");
  EXPECT_EQ(found.values[0].images, 5);
  EXPECT_EQ(samples.type, "float32");
  EXPECT_EQ(samples.highest, 2);
  EXPECT_EQ(samples.no_data, 1);
  EXPECT_NEAR(static_cast<double>(samples.clipped), 1000, 5);
}

/** IDX files hold more than bytes, and the range holds for them too. */
TEST(ValueRange, HoldsForIdx) {
  using format::DType;
  const SourceFolder folder;
  const auto write_idx = [&](DType dtype, const auto& items) {
    const std::vector<std::int64_t> shape = {1, 1, static_cast<std::int64_t>(items.size())};
    format::write_idx(folder / "x-images-idx3",
                      {"", dtype, shape, std::as_bytes(std::span(items))});
    return folder / "x-images-idx3";
  };
  using Levels = std::vector<std::uint8_t>;
  SourceOptions options;
  options.channels = 1;
  const std::vector<float> floats = {0, 0.2F, 1.002F};
  EXPECT_EQ(open_dataset(write_idx(DType::F32, floats), options)->load(0).pixels,
            (Levels{0, 51, 255}));
  const std::vector<std::int16_t> shorts = {-32768, 0, 32767};
  EXPECT_EQ(open_dataset(write_idx(DType::I16, shorts), options)->load(0).pixels,
            (Levels{0, 128, 255}));
  options.decode.value_range = {0, 16};
  const std::vector<std::uint8_t> bytes = {0, 8, 16, 200};
  const auto data = open_dataset(write_idx(DType::U8, bytes), options);
  EXPECT_EQ(data->load(0).pixels, (Levels{0, 128, 255, 255}));
  EXPECT_FLOAT_EQ(data->load_wide(0).values[3], 12.5F);
  EXPECT_EQ(data->stored(0).samples->bits, 8);
}

TEST(ValueRange, OfThePreprocessingReachesEverySource) {
  Preprocess p;
  EXPECT_FALSE(source_options(p).decode.value_range);
  p.value_range = {0, 4095};
  EXPECT_EQ(source_options(p).decode.value_range, (image::ValueRange{0, 4095}));
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const std::vector<double>& wrong :
       {std::vector<double>{1}, {1, 1}, {2, 1}, {0, nan}, {0, 1, 2}}) {
    p.value_range = wrong;
    EXPECT_THROW(validate(p), Error);
  }
}

}  // namespace
}  // namespace dino::data
