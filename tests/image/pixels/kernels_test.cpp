// Every instruction set's kernels against the portable ones, which the goldens of the other tests
// were checked with wherever a machine has nothing better.
#include "dino/image/pixels/kernels.h"

#include <bit>
#include <cmath>
#include <vector>

#include "dino/base/rng.h"
#include "dino/image/pixels/blur.h"
#include "dino/image/pixels/color.h"
#include "dino/image/pixels/resize.h"
#include "tests/image/pixel_golden.h"

namespace dino::image {
namespace {

int below(Rng& rng, int limit) {
  return static_cast<int>(rng.below(static_cast<std::uint64_t>(limit)));
}

Image noise(int width, int height, int channels, Rng& rng) {
  Image image(width, height, channels);
  const bool hard = rng.bernoulli(0.3);  // black and white, where filters overshoot
  for (auto& sample : image.pixels)
    sample = static_cast<std::uint8_t>(hard ? (rng.bernoulli(0.5) ? 255 : 0) : below(rng, 256));
  return image;
}

/** Runs `check(kernels)` for every table but the portable one. */
template <typename Check>
void for_each_other(const Check& check) {
  for (const PixelKernels* table : all_kernels().subspan(1)) {
    SCOPED_TRACE(table->name);
    check(*table);
  }
}

TEST(PixelKernels, PortableOnesAreAlwaysThereAndTheFastestComeLast) {
  ASSERT_FALSE(all_kernels().empty());
  EXPECT_EQ(all_kernels().front(), &portable::kKernels);
  EXPECT_EQ(all_kernels().back(), &kernels());
}

TEST(PixelKernels, ScaleAlike) {
  Rng rng(1, 0, 0, 0);
  Workspace plain(portable::kKernels);
  for_each_other([&](const PixelKernels& table) {
    Workspace workspace(table);
    for (int i = 0; i < 400; ++i) {
      const int channels = rng.bernoulli(0.5) ? 3 : 1;
      const Image whole = noise(1 + below(rng, 300), 1 + below(rng, 200), channels, rng);
      const int left = below(rng, whole.width), top = below(rng, whole.height);
      const ImageView view(whole, left, top, 1 + below(rng, whole.width - left),
                           1 + below(rng, whole.height - top));
      const auto cut = [&](int pixels) {  // all of it or a random part
        const auto size = static_cast<float>(pixels);
        const float from = rng.bernoulli(0.5) ? 0.0F : static_cast<float>(rng.uniform()) * size / 2;
        return std::pair(from, rng.bernoulli(0.5) ? size : from + (size - from) * 0.9F);
      };
      const auto [x0, x1] = cut(view.width);
      const auto [y0, y1] = cut(view.height);
      if (x1 <= x0 || y1 <= y0) continue;
      const int width = rng.bernoulli(0.1) ? view.width : 1 + below(rng, 120);
      const int height = rng.bernoulli(0.1) ? view.height : 1 + below(rng, 120);
      const auto filter = static_cast<Filter>(1 + below(rng, 3));
      Image expected, found;
      resize_into(view, {x0, y0, x1, y1}, width, height, filter, expected, plain);
      resize_into(view, {x0, y0, x1, y1}, width, height, filter, found, workspace);
      ASSERT_EQ(expected, found) << i << ": " << view.width << " x " << view.height << " x "
                                 << channels << " -> " << width << " x " << height;
    }
  });
}

std::vector<ColorStep> random_steps(Rng& rng) {
  std::vector<ColorStep> steps(static_cast<std::size_t>(below(rng, 4)));
  for (ColorStep& step : steps) {
    step.kind = static_cast<ColorStep::Kind>(below(rng, 4));
    step.factor = static_cast<float>(rng.uniform() * (rng.bernoulli(0.1) ? 20 : 2));
    step.shift = below(rng, 255) - 127;
    for (auto& sample : step.table) sample = static_cast<std::uint8_t>(below(rng, 256));
  }
  return steps;
}

TEST(PixelKernels, ShrinkManyTimesAlike) {
  Rng rng(2, 0, 0, 0);
  for_each_other([&](const PixelKernels& table) {
    for (const int channels : {1, 3})
      for (const int width : {1, 3, 20, 33})
        for (const Filter filter : {Filter::Bilinear, Filter::Bicubic, Filter::Lanczos}) {
          const Image source = noise(700 + below(rng, 500), 100 + below(rng, 20), channels, rng);
          const ImageView view(source, 5, 3, source.width - 5, source.height - 10);
          const Box all{0, 0, static_cast<float>(view.width), static_cast<float>(view.height)};
          Workspace plain(portable::kKernels), workspace(table);
          for (const int height : {7, 64, view.height, 300}) {
            Image expected, actual;
            resize_into(view, all, width, height, filter, expected, plain);
            resize_into(view, all, width, height, filter, actual, workspace);
            ASSERT_EQ(actual, expected) << channels << ' ' << width << " x " << height;
          }
        }
  });
}

TEST(PixelKernels, RecolorAlike) {
  Rng rng(2, 0, 0, 0);
  for_each_other([&](const PixelKernels& table) {
    for (int i = 0; i < 300; ++i) {
      const int channels = rng.bernoulli(0.7) ? 3 : 1;
      Image expected = noise(1 + below(rng, 90), 1 + below(rng, 20), channels, rng);
      Image found = expected;
      std::vector<ColorStep> steps = random_steps(rng);
      if (channels == 1)
        for (ColorStep& step : steps) step.kind = ColorStep::Kind::Table;
      const auto expected_sum = portable::recolor(expected, steps, true);
      EXPECT_EQ(table.recolor(found, steps, true), expected_sum);
      ASSERT_EQ(found, expected) << i;
    }
  });
}

/** All colors whose red is `red`. */
Image colors_of(int red) {
  Image image(256, 256, 3);
  for (int i = 0; i < 256 * 256; ++i) {
    image.pixels[3 * static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(red);
    image.pixels[3 * static_cast<std::size_t>(i) + 1] = static_cast<std::uint8_t>(i >> 8);
    image.pixels[3 * static_cast<std::size_t>(i) + 2] = static_cast<std::uint8_t>(i);
  }
  return image;
}

void expect_same_hues(const PixelKernels& table, int red, int shift) {
  ColorStep step;
  step.kind = ColorStep::Kind::Hue;
  step.shift = shift;
  Image expected = colors_of(red), found = expected;
  portable::recolor(expected, {&step, 1}, false);
  table.recolor(found, {&step, 1}, false);
  ASSERT_EQ(found, expected) << "red " << red << ", shift " << shift;
}

TEST(PixelKernels, TurnHuesAlike) {
  for_each_other([](const PixelKernels& table) {
    for (int red = 0; red < 256; red += 51) expect_same_hues(table, red, red / 8);
  });
}

// Every color at one shift, and a few of every shift: hue and saturation do not depend on it, and
// the way back sees every hue with every saturation and value.
TEST(KernelsSlow, TurnHuesOfEveryColorAlike) {
  for_each_other([](const PixelKernels& table) {
    for (int red = 0; red < 256; ++red) expect_same_hues(table, red, 0);
    for (int shift = -127; shift <= 127; ++shift) expect_same_hues(table, 255, shift);
    for (int shift = -127; shift <= 127; ++shift)
      expect_same_hues(table, (shift + 200) % 256, shift);
  });
}

TEST(PixelKernels, BlurAlike) {
  Rng rng(3, 0, 0, 0);
  Workspace plain(portable::kKernels);
  for_each_other([&](const PixelKernels& table) {
    Workspace workspace(table);
    for (int i = 0; i < 300; ++i) {
      Image expected =
          noise(1 + below(rng, 100), 1 + below(rng, 60), rng.bernoulli(0.5) ? 3 : 1, rng);
      Image found = expected;
      const double radius =
          rng.bernoulli(0.1) ? 1e-4 : rng.uniform() * (rng.bernoulli(0.1) ? 9 : 2.2);
      gaussian_blur(expected, radius, plain);
      gaussian_blur(found, radius, workspace);
      ASSERT_EQ(found, expected) << i << ": radius " << radius;
    }
  });
}

TEST(PixelKernels, NormalizeAlike) {
  Rng rng(4, 0, 0, 0);
  const float scale[] = {1.0F / (255 * 0.229F), 0.017F, 0.0175F}, offset[] = {-2.1F, -2.0F, 0.3F};
  for_each_other([&](const PixelKernels& table) {
    for (int i = 0; i < 200; ++i) {
      const Image image =
          noise(1 + below(rng, 150), 1 + below(rng, 9), rng.bernoulli(0.5) ? 3 : 1, rng);
      const Normalization work{
          .source = &image, .mirrored = rng.bernoulli(0.5), .scale = scale, .offset = offset};
      const std::size_t count = image.pixels.size();
      const auto compare = [&](auto fill, auto portable, auto other) {
        std::vector<decltype(fill)> expected(count, fill), found(count + 1, fill);
        portable(work, expected.data());
        other(work, found.data());
        EXPECT_EQ(found.back(), fill);  // nothing written behind the end
        found.pop_back();
        ASSERT_EQ(found, expected) << i;
      };
      compare(7.0F, portable::to_floats, table.to_floats);
      compare(std::uint16_t{7}, portable::to_bfloats, table.to_bfloats);
      compare(std::uint8_t{7}, portable::to_planes, table.to_planes);
    }
  });
}

TEST(PixelKernels, NormalizeWhatTheFormulaSays) {
  const Image image = synthetic(5, 3, 3, 8);
  const float scale[] = {2, 3, 4}, offset[] = {-1, 0, 1};
  for (const PixelKernels* table : all_kernels())
    for (const bool mirrored : {false, true}) {
      std::vector<float> out(image.pixels.size());
      std::vector<std::uint16_t> halves(image.pixels.size());
      const Normalization work{
          .source = &image, .mirrored = mirrored, .scale = scale, .offset = offset};
      table->to_floats(work, out.data());
      table->to_bfloats(work, halves.data());
      for (int y = 0; y < 3; ++y)
        for (int x = 0; x < 5; ++x)
          for (int c = 0; c < 3; ++c) {
            const auto at = static_cast<std::size_t>((c * 3 + y) * 5 + x);
            const int value = image.row(y)[(mirrored ? 4 - x : x) * 3 + c];
            const auto i = static_cast<std::size_t>(c);
            EXPECT_EQ(out[at], static_cast<float>(value) * scale[i] + offset[i]);
            const float half = std::bit_cast<float>(static_cast<std::uint32_t>(halves[at]) << 16);
            EXPECT_NEAR(half, out[at], std::abs(out[at]) / 256);
          }
    }
}

}  // namespace
}  // namespace dino::image
