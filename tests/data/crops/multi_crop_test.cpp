#include "dino/data/crops/multi_crop.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "dino/base/error.h"
#include "dino/data/prepare/normalizer.h"
#include "dino/image/pixels/color.h"
#include "dino/image/pixels/kernels_for_testing.h"
#include "tests/data/crops/one_view.h"

namespace dino::data {
namespace {

/** The formula of tests/golden/data/crop_pixels.py. */
image::Image source(int channels, int scale = 1) {
  image::Image image(40 * scale, 30 * scale, channels);
  for (int y = 0; y < image.height; ++y)
    for (int x = 0; x < image.width; ++x)
      for (int c = 0; c < channels; ++c)
        image.row(y)[x * channels + c] =
            static_cast<std::uint8_t>((x * 7 + y * 13 + c * 50 + x * y * (c + 1)) % 256);
  return image;
}

MultiCropOptions small() {
  MultiCropOptions options;
  options.global_size = 16;
  options.local_size = 8;
  return options;
}

std::optional<int> blur_taps(const nlohmann::json& c) {
  const int taps = c.value("blur_kernel", 0);
  return taps > 0 ? std::optional(taps) : std::nullopt;
}

CropRecord record_of(const nlohmann::json& c) {
  const int size = c["size"], painted = c.value("painted_size", size);
  return {.size = size,
          .painted_size = painted,
          .base_size = c.value("base_size", painted),
          .left = c["left"],
          .top = c["top"],
          .width = c["width"],
          .height = c["height"],
          .flipped = c["flipped"],
          .colors = {.jittered = c["jittered"],
                     .grayscaled = c["grayscaled"],
                     .blurred = c["blurred"],
                     .solarized = c["solarized"],
                     .order = c["order"],
                     .brightness = c["brightness"],
                     .contrast = c["contrast"],
                     .saturation = c["saturation"],
                     .hue = c["hue"],
                     .blur_radius = c["blur_radius"],
                     .blur_taps = blur_taps(c)},
          .window = c.contains("window_left"),
          .window_left = c.value("window_left", 0),
          .window_top = c.value("window_top", 0)};
}

/** On one instruction set. */
class CropGolden : public testing::TestWithParam<const image::PixelKernels*> {
  const image::PixelKernelsForTesting set_{*GetParam()};
};

TEST_P(CropGolden, PixelsEqualTorchvisionOnPillow) {
  std::ifstream file(DINO_SOURCE_DIR "/tests/golden/data/crop_pixels.json");
  const auto cases = nlohmann::json::parse(file);
  ASSERT_EQ(cases.size(), 24u);
  for (const auto& c : cases) {
    SCOPED_TRACE(c.dump().substr(0, 400));
    const image::Image view = apply_crop(source(c["channels"]), record_of(c));
    std::string hex;
    for (const auto sample : view.pixels) hex += fmt::format("{:02x}", sample);
    EXPECT_EQ(hex, c["pixels"].get<std::string>());
  }
}

/** Hexadecimal digits against pixels; a blur may round another way, and solarize may then fall on
 * the other side of its threshold. Returns how many samples differ. */
std::size_t expect_pixels(const image::Image& view, const std::string& hex, const CropRecord& r) {
  EXPECT_EQ(hex.size(), 2 * view.pixels.size());
  std::size_t different = 0;
  for (std::size_t i = 0; i < std::min(view.pixels.size(), hex.size() / 2); ++i) {
    const int expected = std::stoi(hex.substr(2 * i, 2), nullptr, 16), ours = view.pixels[i];
    different += ours != expected;
    const bool at_threshold = r.colors.solarized && std::abs(ours + expected - 255) <= 1;
    if (!at_threshold) {
      EXPECT_NEAR(ours, expected, r.colors.blurred ? 1 : 0) << i;
    }
  }
  return different;
}

const nlohmann::json& pipelines() {
  static const nlohmann::json content = [] {
    std::ifstream file(DINO_SOURCE_DIR "/tests/golden/data/crop_pipelines.json");
    return nlohmann::json::parse(file);
  }();
  return content;
}

TEST_P(CropGolden, Dinov2sPixelsEqualThePackages) {
  ASSERT_EQ(pipelines()["dinov2"].size(), 30U);
  std::size_t different = 0, all = 0, blurred = 0;
  for (const auto& c : pipelines()["dinov2"]) {
    SCOPED_TRACE(c.dump().substr(0, 400));
    const CropRecord record = record_of(c);
    const image::Image view = apply_crop(source(3, 2), record);
    different += expect_pixels(view, c["pixels"], record);
    all += view.pixels.size(), blurred += record.colors.blurred;
  }
  EXPECT_GT(blurred, 8U);
  EXPECT_LT(different, all / 1000);
}

TEST_P(CropGolden, Dinov3sPixelsEqualTorchvisions) {
  std::size_t different = 0, all = 0, gram = 0, distorted = 0, windows = 0;
  for (const auto& c : pipelines()["dinov3"]) {
    SCOPED_TRACE(c.dump().substr(0, 400));
    const CropRecord record = record_of(c);
    CropWorkspace workspace;
    image::Image base;
    crop_unmirrored(source(3, 2), record, base, workspace);
    if (record.flipped) image::flip_horizontal(base);
    const auto painted_as = [&](const CropRecord& of) {
      image::Image view = base;
      paint_crop(view, of, workspace);
      return view;
    };
    if (c.contains("pixels")) {
      const image::Image view = painted_as(record);
      different += expect_pixels(view, c["pixels"], record);
      all += view.pixels.size(), windows += record.window;
    }
    if (c.contains("gram")) {
      CropRecord clean{.size = c["gram_size"], .base_size = record.base_size};
      expect_pixels(painted_as(clean), c["gram"], clean);
      ++gram;
    }
    if (!c.contains("floats")) continue;
    // Painted at the larger size, then resized as normalized floats.
    ++distorted;
    const image::Image painted = painted_as(record);
    const MultiCropOptions options;
    const Normalizer normalizer(options.mean, options.std);
    for (const auto& [key, size] :
         {std::pair{"floats", record.size}, {"gram_floats", c["gram_size"].get<int>()}}) {
      const auto side = static_cast<std::size_t>(size);
      std::vector<float> out(3 * side * side);
      if (painted.width == size)
        normalizer(painted, out.data());
      else
        normalizer.resized(painted, size, out.data());
      std::size_t at = 0;
      for (std::size_t ch = 0; ch < 3; ++ch)
        for (std::size_t y = 0; y < side; y += 5)
          for (std::size_t x = 0; x < side; x += 5, ++at) {
            // One level of a blur is 1/255/std.
            const double tolerance = record.colors.blurred ? 0.02 : 1e-4;
            if (record.colors.blurred && record.colors.solarized) continue;  // see expect_pixels
            EXPECT_NEAR(out[(ch * side + y) * side + x], c[key][at].get<double>(), tolerance);
          }
      EXPECT_EQ(at, c[key].size());
    }
  }
  EXPECT_LT(different, all / 1000);
  EXPECT_EQ(gram, 6U);
  EXPECT_EQ(distorted, 4U);
  EXPECT_EQ(windows, 3U);
}

INSTANTIATE_TEST_SUITE_P(EverySet, CropGolden, testing::ValuesIn(image::all_kernels()),
                         [](const auto& test) { return test.param->name; });

TEST(MultiCrop, LargeStrengthsStopAtZero) {
  MultiCropOptions options = small();
  options.brightness = 3;
  options.jitter = 1;
  for (int i = 0; i < 1000; ++i) {
    const auto record = draw_crop(40, 30, 0, options, Rng(0, 0, static_cast<std::uint64_t>(i)));
    EXPECT_GE(record.colors.brightness, 0);
    EXPECT_LE(record.colors.brightness, 4);
  }
}

TEST(MultiCrop, EqualStreamsGiveEqualViewsAndViewsDiffer) {
  const image::Image image = source(3);
  const auto make = [&](int view, std::uint64_t epoch) {
    return crop_view(image, view, small(), Rng(0, epoch, 5, static_cast<std::uint64_t>(view)));
  };
  EXPECT_EQ(make(0, 0), make(0, 0));
  EXPECT_NE(make(0, 0), make(1, 0));
  EXPECT_NE(make(0, 0), make(0, 1));
  EXPECT_NE(make(2, 0), make(3, 0));
  EXPECT_EQ(make(2, 0).width, 8);
}

TEST(MultiCrop, BeyondTheBorderAnImageGoesOnAndPaddingWidensIt) {
  image::Image source(4, 4, 3);
  for (std::size_t i = 0; i < source.pixels.size(); ++i)
    source.pixels[i] = static_cast<std::uint8_t>(i);
  for (const auto& [left, top] : {std::pair{-2, -3}, {6, 6}, {-9, 1}, {0, -8}}) {
    const CropRecord record{.size = 8, .left = left, .top = top, .width = 8, .height = 8};
    const image::Image view = apply_crop(source, record);
    for (int y = 0; y < 8; ++y)
      for (int x = 0; x < 8; ++x)
        for (int c = 0; c < 3; ++c) {
          const int from = std::clamp(left + x, 0, 3), row = std::clamp(top + y, 0, 3);
          EXPECT_EQ(view.row(y)[x * 3 + c], source.row(row)[from * 3 + c]) << x << ' ' << y;
        }
  }

  MultiCropOptions options = small();
  options.pad = 3;
  options.global_scale = {1, 1};
  bool padded = false;
  for (int i = 0; i < 200; ++i) {
    const auto record = draw_crop(12, 12, 0, options, Rng(0, 0, static_cast<std::uint64_t>(i)));
    EXPECT_TRUE(record.left >= -3 && record.left + record.width <= 15);
    padded |= record.left < 0;
  }
  EXPECT_TRUE(padded);
}

TEST(MultiCrop, TinyAndExtremeImagesWork) {
  for (const int channels : {1, 3}) {
    for (const auto& [width, height] : {std::pair{1, 1}, {1, 500}, {500, 1}, {2, 3}}) {
      image::Image image(width, height, channels);
      for (int view = 0; view < 4; ++view) {
        const image::Image out =
            crop_view(image, view, small(), Rng(0, 0, 0, static_cast<std::uint64_t>(view)));
        EXPECT_EQ(out.width, view < 2 ? 16 : 8);
        EXPECT_EQ(out.channels, channels);
      }
    }
  }
}

TEST(MultiCrop, ValidateNamesTheKey) {
  const auto refusal = [](auto change, int channels = 3) -> std::string {
    MultiCropOptions options;
    change(options);
    try {
      validate(options, channels);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::Config);
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(refusal([](auto&) {}), "");
  EXPECT_NE(refusal([](auto& o) { o.blur[2] = 1.1; }).find("crops.blur = 1.1"), std::string::npos);
  EXPECT_NE(refusal([](auto& o) {
              o.global_scale = {0.9, 0.4};
            }).find("crops.global_scale"),
            std::string::npos);
  EXPECT_NE(refusal([](auto& o) {
              o.blur_radius = {2, 1};
            }).find("crops.blur_radius"),
            std::string::npos);
  EXPECT_NE(refusal([](auto& o) { o.blur_kernel = 8; }).find("must be odd"), std::string::npos);
  EXPECT_NE(refusal([](auto& o) { o.blur_kernel = 9, o.local_size = 4; }).find("crops of 4 px"),
            std::string::npos);
  EXPECT_EQ(refusal([](auto& o) { o.blur_kernel = 9, o.local_size = 4, o.local_count = 0; }), "");
  EXPECT_NE(refusal([](auto& o) {
              o.blur_kernel = 9, o.blur_radius = {0, 2};
            }).find("above 0"),
            std::string::npos);
  EXPECT_NE(refusal([](auto& o) {
              o.local_window_step = 16, o.local_size = 240;
            }).find("crops.local_window_step"),
            std::string::npos);
  EXPECT_NE(refusal([](auto&) {}, 1).find("data.channels = 1"), std::string::npos);
}

}  // namespace
}  // namespace dino::data
