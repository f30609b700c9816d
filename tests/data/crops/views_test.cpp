#include "dino/data/crops/views.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <map>
#include <vector>

#include "dino/base/error.h"
#include "dino/data/crops/crop_mix.h"
#include "tests/data/crops/one_view.h"

namespace dino::data {
namespace {

image::Image noise(int width, int height) {
  image::Image image(width, height, 3);
  Rng rng(9);
  for (auto& sample : image.pixels) sample = static_cast<std::uint8_t>(rng.below(256));
  return image;
}

MultiCropOptions small() {
  MultiCropOptions options;
  options.global_size = 32;
  options.local_size = 8;
  options.local_count = 4;
  return options;
}

std::vector<std::pair<ViewKind, image::Image>> all_views(const MultiCropOptions& options,
                                                         const SampleKey& key) {
  std::vector<std::pair<ViewKind, image::Image>> views;
  for_each_view(noise(60, 50), options, key,
                [&](const View& view) { views.emplace_back(view.kind, view.pixels); });
  return views;
}

TEST(Views, PlainOnesAreThoseOfCropView) {
  const SampleKey key{4, 2, 7};
  const auto views = all_views(small(), key);
  ASSERT_EQ(views.size(), 6U);
  for (int view = 0; view < 6; ++view) {
    const auto& [kind, pixels] = views[static_cast<std::size_t>(view)];
    EXPECT_EQ(kind, view < 2 ? ViewKind::Global : ViewKind::Local);
    EXPECT_EQ(pixels, crop_view(noise(60, 50), view, small(),
                                Rng(4, 2, 7, static_cast<std::uint64_t>(view))));
  }
}

TEST(Views, WindowsArePiecesOfTheGlobalCropsHalfOfEach) {
  MultiCropOptions options = small();
  options.local_window_step = 8;
  options.jitter = options.grayscale = 0;
  options.blur = options.solarize = {0, 0, 0};
  for (std::uint64_t index = 0; index < 20; ++index) {
    const SampleKey key{1, 0, index};
    const auto draw = draw_views(60, 50, options, key);
    const auto views = all_views(options, key);
    ASSERT_EQ(views.size(), 6U);
    for (std::size_t local = 0; local < 4; ++local) {
      const CropRecord& record = draw.crops[2 + local];
      const image::Image& parent = views[local < 2 ? 0 : 1].second;
      EXPECT_EQ(record.window_left % 8, 0);
      EXPECT_EQ(record.window_top % 8, 0);
      ASSERT_TRUE(record.window_left <= 24 && record.window_top <= 24);
      for (int y = 0; y < 8; ++y)
        for (int x = 0; x < 24; ++x)
          ASSERT_EQ(views[2 + local].second.row(y)[x],
                    parent.row(record.window_top + y)[3 * record.window_left + x]);
    }
  }
}

// Student and teacher see the same region the same way round: only colors differ.
TEST(Views, ACleanTeacherSeesTheGlobalCropsBeforeTheirColors) {
  MultiCropOptions options = small();
  options.clean_teacher = true;
  options.jitter = options.grayscale = 0;
  options.blur = options.solarize = {0, 0, 0};
  int mirrored = 0;
  for (std::uint64_t index = 0; index < 10; ++index) {
    const SampleKey key{1, 0, index};
    std::map<ViewKind, std::vector<image::Image>> views;
    for (const auto& [kind, pixels] : all_views(options, key)) views[kind].push_back(pixels);
    ASSERT_EQ(views[ViewKind::Teacher].size(), 2U);
    EXPECT_EQ(views[ViewKind::Teacher], views[ViewKind::Global]) << index;
    for (int i = 0; i < 2; ++i) mirrored += draw_views(60, 50, options, key).crops[i].flipped;
  }
  EXPECT_GT(mirrored, 4);
}

TEST(Views, AWindowIsMirroredAsItsGlobalCropIs) {
  MultiCropOptions options = small();
  options.local_window_step = 8;
  for (std::uint64_t index = 0; index < 20; ++index) {
    const auto crops = draw_views(60, 50, options, {1, 0, index}).crops;
    for (std::size_t local = 0; local < 4; ++local)
      EXPECT_EQ(crops[2 + local].flipped, crops[local < 2 ? 0 : 1].flipped) << index;
  }
}

TEST(Views, WindowsFallOnEveryAlignedPlaceAlike) {
  MultiCropOptions options = small();
  options.local_window_step = 8;
  std::map<std::pair<int, int>, int> seen;
  constexpr int kDraws = 4000;
  for (std::uint64_t i = 0; i < kDraws; ++i) {
    const auto record = draw_views(60, 50, options, {0, 0, i}).crops[3];
    ++seen[{record.window_left, record.window_top}];
  }
  ASSERT_EQ(seen.size(), 16U);
  for (const auto& [place, count] : seen)
    EXPECT_NEAR(count, kDraws / 16.0, 3.5 * std::sqrt(kDraws * 15.0 / 256));
}

TEST(Views, SharedColorsAreOnTheWholeImage) {
  MultiCropOptions options = small();
  options.shared_jitter = true;
  options.jitter = 1;
  options.blur = options.solarize = {0, 0, 0};
  options.global_scale = options.local_scale = {1, 1};
  const SampleKey key{3, 0, 0};
  const auto draw = draw_views(60, 60, options, key);
  ASSERT_TRUE(draw.shared && draw.shared->jittered);
  for (const auto& record : draw.crops)
    EXPECT_FALSE(record.colors.jittered || record.colors.grayscaled);
  image::Image image = noise(60, 50);
  CropWorkspace workspace;
  change_colors(image, *draw.shared, workspace);
  for (const auto& [kind, pixels] : all_views(options, key)) {
    if (kind == ViewKind::Global) {
      const auto record = draw_views(60, 50, options, key).crops[0];
      EXPECT_EQ(pixels, apply_crop(image, record));
      break;
    }
  }
}

TEST(Views, EachGlobalCropHasItsCleanAndGramVersion) {
  MultiCropOptions options = small();
  options.clean_teacher = true;
  for (const bool distorted : {false, true})
    for (const int gram_size : {16, 32, 48}) {
      options.gram_size = gram_size;
      options.gram_distorted = distorted;
      std::map<ViewKind, int> count;
      for_each_view(noise(60, 50), options, {0, 0, 3}, [&](const View& view) {
        EXPECT_EQ(view.number, count[view.kind]++);
        if (view.kind == ViewKind::Gram) {
          EXPECT_EQ(view.record.size, gram_size);
        }
        const int painted = view.kind == ViewKind::Global || view.kind == ViewKind::Gram
                                ? std::max(32, gram_size)
                                : view.record.size;
        EXPECT_EQ(view.pixels.width, distorted ? painted : view.record.size);
      });
      EXPECT_EQ(count[ViewKind::Global], 2);
      EXPECT_EQ(count[ViewKind::Teacher], 2);
      EXPECT_EQ(count[ViewKind::Gram], 2);
      EXPECT_EQ(count[ViewKind::Local], 4);
    }
}

TEST(Views, GramAndTeacherShowTheSameRegionUnchanged) {
  MultiCropOptions options = small();
  options.blur = options.solarize = {1, 1, 1};
  options.clean_teacher = true;
  options.gram_size = options.global_size;
  MultiCropOptions plain = small();
  plain.blur = plain.solarize = {0, 0, 0};
  plain.jitter = plain.grayscale = 0;
  const SampleKey key{0, 0, 11};
  const auto expected = all_views(plain, key);
  std::size_t number = 0;
  for (const auto& [kind, pixels] : all_views(options, key)) {
    if (kind == ViewKind::Local) break;
    if (kind == ViewKind::Global) {
      EXPECT_NE(pixels, expected[number++].second);
    } else {
      EXPECT_EQ(pixels, expected[number].second);
    }
  }
  EXPECT_EQ(number, 2U);
}

TEST(CropMix, IsDrawnAsOftenAsAskedAndFromTheIterationAlone) {
  const MixOptions mixes{.probability = {0.3, 0.3, 0.3, 0.05, 0.05},
                         .global_size = {512, 768, 768, 768, 768},
                         .local_size = {112, 112, 168, 224, 336},
                         .gram_size = {768, 1152, 1152, 1152, 1152}};
  std::array<int, 5> counts = {};
  constexpr int kDraws = 10'000;
  for (int i = 0; i < kDraws; ++i) ++counts[static_cast<std::size_t>(draw_mix(mixes, 0, i))];
  for (std::size_t mix = 0; mix < 5; ++mix) {
    const double p = mixes.probability[mix];
    EXPECT_NEAR(counts[mix] / double{kDraws}, p, 3 * std::sqrt(p * (1 - p) / kDraws));
  }
  EXPECT_EQ(draw_mix({}, 0, 5), 0);
  const MultiCropOptions crops = mixed_crops(small(), mixes, 3);
  EXPECT_EQ(crops.global_size, 768);
  EXPECT_EQ(crops.local_size, 224);
  EXPECT_EQ(crops.gram_size, 1152);
  EXPECT_EQ(mixed_crops(small(), {}, 0), small());
}

TEST(CropMix, ValidateNamesTheKey) {
  const auto refusal = [](const MixOptions& mixes) -> std::string {
    try {
      validate(mixes, small());
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::Config);
      return error.what();
    }
    return "";
  };
  const MixOptions good{
      .probability = {0.5, 0.5}, .global_size = {16, 32}, .local_size = {8, 8}, .gram_size = {}};
  EXPECT_EQ(refusal(good), "");
  EXPECT_EQ(refusal({}), "");
  MixOptions bad = good;
  bad.local_size.pop_back();
  EXPECT_NE(refusal(bad).find("mixes.local_size has 1"), std::string::npos);
  bad = good;
  bad.gram_size = {32};
  EXPECT_NE(refusal(bad).find("mixes.gram_size has 1"), std::string::npos);
  bad = good;
  bad.probability = {0.5, 0.4};
  EXPECT_NE(refusal(bad).find("adds up to 0.9"), std::string::npos);
  bad = {};
  bad.global_size = {32};
  EXPECT_NE(refusal(bad).find("mixes.probability has 0"), std::string::npos);
}

}  // namespace
}  // namespace dino::data
