#include "dino/data/prepare/placement.h"

#include <gtest/gtest.h>

#include <string>

#include "dino/base/error.h"
#include "dino/data/prepare/preprocess.h"

namespace dino::data {
namespace {

Preprocess with(Fit fit, int size, Remainder remainder = Remainder::Error) {
  return {.image_size = size, .fit = fit, .remainder = remainder};
}

TEST(Place, EveryRemainderMakesWholePatches) {
  struct Case {
    Remainder remainder;
    int resized_width, resized_height, left, top, width, height;
  };
  // 100 x 66 px, patches of 14: 7 * 14 = 98 and 8 * 14 = 112; 4 * 14 = 56 and 5 * 14 = 70.
  for (const Case& c : {Case{Remainder::Floor, 100, 66, 0, 0, 98, 56},
                        Case{Remainder::Pad, 100, 66, -6, -2, 112, 70},
                        Case{Remainder::Stretch, 112, 70, 0, 0, 112, 70},
                        Case{Remainder::Round, 98, 70, 0, 0, 98, 70}}) {
    const Placement at = place(100, 66, with(Fit::Native, 1, c.remainder), 14);
    EXPECT_EQ(at.resized_width, c.resized_width);
    EXPECT_EQ(at.resized_height, c.resized_height);
    EXPECT_EQ(at.left, c.left);
    EXPECT_EQ(at.top, c.top);
    EXPECT_EQ(at.width, c.width);
    EXPECT_EQ(at.height, c.height);
    EXPECT_EQ(at.grid_width() * 14, c.width);
  }
  // An odd pixel of padding goes right and below; where nothing is left over nothing happens.
  EXPECT_EQ(place(13, 28, with(Fit::Native, 1, Remainder::Pad), 14).left, 0);
  EXPECT_EQ(place(11, 28, with(Fit::Native, 1, Remainder::Pad), 14).left, -1);
  EXPECT_EQ(place(28, 42, with(Fit::Native, 1, Remainder::Error), 14).grid_height(), 3);
  EXPECT_EQ(place(5, 20, with(Fit::Native, 1, Remainder::Round), 14).width, 14);
  EXPECT_EQ(place(5, 20, with(Fit::Native, 1, Remainder::Round), 14).height, 14);
}

// Python's min() takes the first of equal errors: a half goes down for Pillow's thumbnail.
TEST(Place, HalvesOfAPixelGoAsPillowsAndOfAPatchUp) {
  const Placement thumbnail = place(24, 64, with(Fit::LongSide, 4), 1);
  EXPECT_EQ(thumbnail.resized_width, 1) << "1.5 px: 1/4 and 2/4 miss 3/8 alike";
  EXPECT_EQ(thumbnail.resized_height, 4);
  const Placement rounded = place(21, 35, with(Fit::Native, 1, Remainder::Round), 14);
  EXPECT_EQ(rounded.width, 28);
  EXPECT_EQ(rounded.height, 42);
  EXPECT_EQ(place(20, 34, with(Fit::Native, 1, Remainder::Round), 14).width, 14);
}

TEST(Place, SaysWhatToDoAboutARemainder) {
  const auto expect = [](Remainder remainder, std::initializer_list<const char*> parts) {
    try {
      place(100, 6, with(Fit::Native, 1, remainder), 14);
      FAIL();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::Data);
      for (const char* part : parts)
        EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
    }
  };
  expect(Remainder::Error, {"100 x 6", "14 px", "floor", "pad", "stretch", "round"});
  expect(Remainder::Floor, {"100 x 6", "14 px", "pad", "stretch", "round"});
}

TEST(Place, SquaresAreLeftToTheNetwork) {
  for (const Fit fit : {Fit::CenterCrop, Fit::Stretch, Fit::Pad}) {
    const Placement at = place(300, 200, with(fit, 30), 14);
    EXPECT_EQ(at.width, 30);
    EXPECT_EQ(at.height, 30);
    EXPECT_EQ(at.grid_width(), 2);
  }
}

TEST(Place, RefusesWhatCannotBeResized) {
  for (const Fit fit : {Fit::CenterCrop, Fit::ShortSide}) {
    try {
      place(1, 60000, with(fit, 224, Remainder::Floor), 14);
      FAIL();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::Format);
    }
  }
  EXPECT_EQ(place(1, 60000, with(Fit::Pad, 224), 14).resized_width, 1);
  EXPECT_EQ(place(60000, 1, with(Fit::LongSide, 224, Remainder::Pad), 14).resized_height, 1);
  EXPECT_THROW(place(0, 5, with(Fit::Pad, 224), 14), Error);
}

TEST(Placement, LeadsBackToTheSource) {
  // 400 x 200 -> 60 x 30, padded to a square: the picture is rows 15 to 45.
  const Placement padded = place(400, 200, with(Fit::Pad, 60), 15);
  EXPECT_EQ(padded.to_source({0, 15, 60, 45}), (Rect{0, 0, 400, 200}));
  EXPECT_EQ(padded.source_of_grid(), (Rect{0, -100, 400, 300}));
  EXPECT_EQ(padded.source_of_patch(1, 3), (Rect{300, 0, 400, 100}));
  // The center crop sees the middle only.
  Preprocess crop = with(Fit::CenterCrop, 50);
  crop.resize = 100;
  EXPECT_EQ(place(400, 200, crop, 25).source_of_grid(), (Rect{150, 50, 250, 150}));
  // Left-out pixels are not covered; stretched axes have scales of their own.
  EXPECT_EQ(place(30, 29, with(Fit::Native, 1, Remainder::Floor), 14).source_of_grid(),
            (Rect{0, 0, 28, 28}));
  EXPECT_EQ(place(20, 40, with(Fit::Stretch, 10), 5).source_of_patch(1, 1), (Rect{10, 20, 20, 40}));
}

}  // namespace
}  // namespace dino::data
