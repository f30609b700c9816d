// preprocessor_config.json: pixels as transformers' own processors give them; what cannot be obeyed
// is named.
#include "dino/weights/preprocessor_config.h"

#include <gtest/gtest.h>

#include <cstring>

#include "dino/base/json.h"
#include "dino/format/safetensors.h"
#include "tests/weights/toy.h"

namespace dino::weights {
namespace {

using data::Fit;
using Json = nlohmann::json;

/** The same integer arithmetic as in tests/golden/weights/make_preprocessor.py. */
image::Image picture(int width, int height) {
  image::Image image(width, height, 3);
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      for (int c = 0; c < 3; ++c)
        image.row(y)[3 * x + c] =
            static_cast<std::uint8_t>((x * x * 3 + y * 7 + x * y * 5 + c * 85) % 256);
  return image;
}

data::Preprocess applied(const Json& json, std::vector<std::string>* notes = nullptr,
                         data::Preprocess preprocess = {}) {
  std::vector<std::string> ignored;
  apply_preprocessor_config(json, "x.json", preprocess, notes != nullptr ? *notes : ignored);
  return preprocess;
}

std::string refusal(const Json& json) {
  return testing::message_of([&] { applied(json); });
}

Json small() {
  return {{"image_processor_type", "BitImageProcessor"},
          {"size", {{"shortest_edge", 32}}},
          {"crop_size", {{"height", 28}, {"width", 28}}}};
}

Json small_with(const std::string& key, const Json& value) {
  Json json = small();
  json[key] = value;
  return json;
}

TEST(PreprocessorConfig, PixelsAreThoseOfTransformers) {
  const std::string golden = DINO_SOURCE_DIR "/tests/golden/weights/preprocessor";
  const format::SafetensorsFile values(golden + ".safetensors");
  for (const Json& one : read_json_file(golden + ".json")) {
    SCOPED_TRACE(one.dump());
    const auto image = picture(one["width"], one["height"]);
    const data::Prepared prepared = data::prepare(image, applied(one["config"]), 1);
    ASSERT_EQ((std::vector<int>{3, prepared.height, prepared.width}),
              one["shape"].get<std::vector<int>>());
    const auto* record = values.find(one["name"].get<std::string>());
    ASSERT_NE(record, nullptr);
    constexpr std::size_t kStride = 41;  // of the values that are kept
    for (std::size_t i = 0; i < record->bytes.size() / sizeof(float); ++i) {
      float expected = 0;
      std::memcpy(&expected, record->bytes.data() + i * sizeof(float), sizeof(float));
      ASSERT_NEAR(prepared.pixels[i * kStride], expected, 2e-5 * std::max(1.0F, std::abs(expected)))
          << i;
    }
  }
}

TEST(PreprocessorConfig, EveryKeyIsObeyedOrNamed) {
  const auto refused = [](const std::string& key, const Json& value) {
    const std::string message = refusal(small_with(key, value));
    EXPECT_NE(message.find("x.json: " + key + " = " + value.dump()), std::string::npos) << message;
  };
  refused("size", {{"shortest_edge", 32}, {"longest_edge", 64}});
  refused("size", {{"longest_edge", 64}});
  refused("size", {{"height", 32}, {"width", 33}});
  refused("size", {{"max_height", 32}, {"max_width", 32}});
  refused("size", "32");
  refused("size", 0);
  refused("size", 4294967520);  // 224 in the lower 32 bits
  refused("size", 32.5);
  refused("crop_size", 4294967324);
  refused("size", true);
  refused("crop_size", {{"height", 28}, {"width", 20}});
  refused("crop_size", 33);  // transformers pads
  refused("crop_size", -1);
  refused("crop_size", {{"shortest_edge", 3}});
  refused("do_resize", false);  // with a crop
  refused("do_resize", "yes");
  refused("do_resize", 1);
  refused("do_center_crop", 1);
  refused("resample", 4);
  refused("resample", 5);
  refused("resample", 6);
  refused("resample", "magic");
  refused("rescale_factor", 0);
  refused("rescale_factor", "1/255");
  refused("rescale_factor", true);
  refused("image_mean", {0.5, 0.5});
  refused("image_mean", "gray");
  refused("image_std", {0.5, 0.5, 0.5, 0.5});
  for (const char* key : {"do_pad", "do_flip_channel_order", "do_thumbnail", "do_align_long_axis",
                          "do_convert_grayscale"})
    refused(key, true);
  for (const char* key : {"crop_pct", "size_divisor", "pad_size"}) refused(key, 7);
  EXPECT_NE(refusal(Json::array()).find("not a JSON object"), std::string::npos);

  std::vector<std::string> notes;
  applied(small_with("do_magic", true), &notes);
  ASSERT_EQ(notes.size(), 1u);
  EXPECT_NE(notes[0].find("do_magic"), std::string::npos);
  notes.clear();
  for (const char* key : {"do_pad", "data_format", "processor_class", "auto_map", "device"})
    EXPECT_EQ(applied(small_with(key, nullptr), &notes), applied(small()));
  EXPECT_TRUE(notes.empty());
}

TEST(PreprocessorConfig, UnnamedProcessorsKeepWhatIsPublished) {
  const data::Preprocess published = {.image_size = 56, .resize = 64, .mean = {0.1, 0.2, 0.3}};
  data::Preprocess expected = published;
  expected.crop_rounds_down = true;
  EXPECT_EQ(applied(Json::object(), nullptr, published), expected);
  const auto square = applied({{"size", {{"height", 40}, {"width", 40}}}}, nullptr, published);
  EXPECT_EQ(square.fit, Fit::Stretch);
  EXPECT_EQ(square.image_size, 40);
  EXPECT_EQ(square.mean, published.mean);
  std::vector<std::string> notes;
  applied({{"image_processor_type", "MagicImageProcessor"}}, &notes, published);
  EXPECT_EQ(notes.size(), 1u);
}

TEST(PreprocessorConfig, Dinov3ResizesInFloats) {
  const auto p = applied({{"image_processor_type", "DINOv3ViTImageProcessorFast"},
                          {"size", {{"height", 32}, {"width", 32}}}});
  EXPECT_TRUE(p.resize_floats);
  EXPECT_EQ(p.fit, Fit::Stretch);
  EXPECT_EQ(p.filter, image::Filter::Bilinear);
  EXPECT_EQ(p.mean, data::Preprocess{}.mean);
}

TEST(PreprocessorConfig, WhatIsWrittenReadsBack) {
  for (const Fit fit : {Fit::CenterCrop, Fit::Stretch, Fit::ShortSide, Fit::Native})
    for (const auto filter : {image::Filter::Nearest, image::Filter::Bilinear,
                              image::Filter::Bicubic, image::Filter::Lanczos})
      for (const bool floats : {false, true}) {
        if (floats && fit != Fit::Stretch) continue;
        data::Preprocess p = {.image_size = 28,
                              .resize = fit == Fit::CenterCrop ? 33 : 0,
                              .mean = {0.1, 0.2, 0.3},
                              .std = {0.4, 0.5, 0.6},
                              .fit = fit,
                              .filter = filter,
                              .resize_floats = floats};
        if (fit == Fit::ShortSide || fit == Fit::Native) p.remainder = data::Remainder::Floor;
        p.crop_rounds_down = fit == Fit::CenterCrop;
        EXPECT_EQ(applied(preprocessor_config(p), nullptr, p), p) << preprocessor_config(p);
      }
}

}  // namespace
}  // namespace dino::weights
