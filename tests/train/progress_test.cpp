#include "dino/train/progress.h"

#include <gtest/gtest.h>

namespace dino::train {
namespace {

Progress half_way() {
  return {.iteration = 500,
          .total = 1000,
          .epoch = 1.5,
          .epochs = 3,
          .loss = 4.25,
          .figures = {{"entropy", 3.5, 6.238}},
          .images_per_second = 812.4,
          .data_wait_share = 0.013,
          .seconds_left = 187,
          .bad_files = {},
          .knn_top1 = 0.815};
}

TEST(Progress, BarFitsEveryWidth) {
  for (int width = 1; width <= 300; ++width)
    EXPECT_LE(progress_bar(half_way(), width).size(),
              static_cast<std::size_t>(std::max(width - 1, 1)))
        << width;
}

TEST(Progress, WideBarIsHalfFilledAndSaysEverything) {
  EXPECT_EQ(progress_bar(half_way(), 300),
            "[###############...............]  500/1000  loss 4.250  3 min 07 s left  812 img/s  "
            "k-NN 81.5%  "
            "entropy 3.50/6.24  data wait 1%  epoch 1.50/3");
}

TEST(Progress, NarrowBarKeepsWhatMattersMost) {
  EXPECT_EQ(progress_bar(half_way(), 60),
            "[###....]  500/1000  loss 4.250  3 min 07 s left  812 img/s");
  EXPECT_EQ(progress_bar(half_way(), 12), "500/1000");
}

TEST(Progress, LineForLogsNamesNoKnnBeforeThereIsOne) {
  Progress progress = half_way();
  progress.knn_top1.reset();
  EXPECT_EQ(progress_line(progress),
            " 50.0%  500/1000  loss 4.250  3 min 07 s left  812 img/s  entropy 3.50/6.24  data "
            "wait 1%  epoch 1.50/3");
}

TEST(Progress, AnEmptyRunIsDone) {
  EXPECT_EQ(progress_line(Progress{}).substr(0, 6), "100.0%");
}

}  // namespace
}  // namespace dino::train
