#include "dino/eval/segmentation_score.h"

#include "dino/base/error.h"

namespace dino::eval {

ConfusionMatrix::ConfusionMatrix(std::int64_t classes)
    : classes_(classes), counts_(static_cast<std::size_t>(classes * classes)) {}

void ConfusionMatrix::add(std::span<const std::uint8_t> truth,
                          std::span<const std::int64_t> predicted) {
  if (truth.size() != predicted.size())
    fail(ErrorKind::Usage, "[segmentation] {} labels but {} predictions", truth.size(),
         predicted.size());
  for (std::size_t i = 0; i < truth.size(); ++i) {
    DINO_ASSERT(truth[i] < classes_ && predicted[i] >= 0 && predicted[i] < classes_);
    ++at(truth[i], predicted[i]);
  }
}

SegmentationScore ConfusionMatrix::score() const {
  SegmentationScore score;
  std::int64_t right = 0, all = 0, present = 0;
  for (std::int64_t c = 0; c < classes_; ++c) {
    std::int64_t of_class = 0, predicted = 0;
    for (std::int64_t other = 0; other < classes_; ++other) {
      of_class += counts_[static_cast<std::size_t>(c * classes_ + other)];
      predicted += counts_[static_cast<std::size_t>(other * classes_ + c)];
    }
    const std::int64_t both = counts_[static_cast<std::size_t>(c * classes_ + c)];
    right += both;
    all += of_class;
    score.iou.emplace_back();
    if (of_class == 0) continue;
    ++present;
    score.iou.back() = static_cast<double>(both) / static_cast<double>(of_class + predicted - both);
    score.mean_iou += *score.iou.back();
  }
  if (all == 0) fail(ErrorKind::Data, "[segmentation] there are no pixels to judge");
  score.mean_iou /= static_cast<double>(present);
  score.pixel_accuracy = static_cast<double>(right) / static_cast<double>(all);
  return score;
}

}  // namespace dino::eval
