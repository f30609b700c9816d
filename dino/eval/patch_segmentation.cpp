#include "dino/eval/patch_segmentation.h"

#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>
#include <utility>

#include "dino/base/error.h"
#include "dino/base/rng.h"
#include "dino/data/scenes/patch_labels.h"
#include "dino/embed/feature_matrix.h"
#include "dino/embed/image_batches.h"

namespace dino::eval {
namespace {

data::Preprocess whole_scenes(data::Preprocess preprocess, int side_px, int patch_size,
                              const PatchProtocol& protocol) {
  if (protocol.image_size % patch_size != 0)
    fail(ErrorKind::Usage,
         "[patches] the image size must be a multiple of the network's patch of {} px: {}",
         patch_size, protocol.image_size);
  preprocess.fit = data::Fit::Stretch;
  preprocess.resize = 0;
  preprocess.image_size = protocol.image_size > 0 ? protocol.image_size
                                                  : std::max(1, side_px / patch_size) * patch_size;
  if (preprocess.image_size / patch_size > side_px)
    fail(ErrorKind::Usage,
         "[patches] an image size of {} px has more patches than scenes of {} px have px",
         preprocess.image_size, side_px);
  data::validate(preprocess);
  return preprocess;
}

/** `count` of [0, n), evenly spread; all if count is 0 or larger than n. */
std::vector<std::int64_t> evenly(std::int64_t n, std::int64_t count) {
  count = count > 0 ? std::min(count, n) : n;
  std::vector<std::int64_t> order;
  for (std::int64_t i = 0; i < count; ++i) order.push_back(i * n / count);
  return order;
}

/** The best class per px: scores [g * g, C] of a square grid -> [side, side] int64. */
torch::Tensor best_classes(const torch::Tensor& scores, int side_px) {
  const auto grid = static_cast<std::int64_t>(std::llround(std::sqrt(scores.size(0))));
  const auto maps = scores.t().reshape({1, scores.size(1), grid, grid});  // [1, C, g, g]
  return at::upsample_bilinear2d(maps, {side_px, side_px}, /*align_corners=*/false)
      .argmax(1)[0]
      .contiguous();
}

void judge(ConfusionMatrix& matrix, const image::Image& truth, const torch::Tensor& scores) {
  const auto best = best_classes(scores, truth.width);
  matrix.add(truth.pixels, {best.const_data_ptr<std::int64_t>(), truth.pixels.size()});
}

}  // namespace

PatchFeatures patch_tokens(model::Backbone& backbone, std::stop_token stop) {
  return [&backbone, stop = std::move(stop)](const torch::Tensor& images) {
    const embed::EvalMode eval_mode(backbone);
    const embed::StopScope stop_scope(backbone, stop);
    return backbone.forward_features(images).patches;
  };
}

PatchFeatures patch_pixels(int patch_size) {
  return [patch_size](const torch::Tensor& images) {
    return images.unfold(2, patch_size, patch_size)
        .unfold(3, patch_size, patch_size)  // [B, C, gh, gw, p, p]
        .permute({0, 2, 3, 1, 4, 5})
        .flatten(3)      // [B, gh, gw, C * p * p]
        .flatten(1, 2);  // [B, P, C * p * p]
  };
}

/** Goes through scenes and hands out the features of each. */
class PatchSegmentation::Walk {
 public:
  Walk(const PatchSegmentation& owner, const PatchFeatures& features, std::int64_t total,
       const std::function<void(std::int64_t, std::int64_t)>& progress, const std::stop_token& stop)
      : owner_(owner), features_(features), total_(total), progress_(progress), stop_(stop) {}

  /** Calls visit(scene, features [P, D]) for the scenes at `order`; false if stopped. */
  template <typename Visit>
  bool over(const data::SceneSet& set, const std::vector<std::int64_t>& order, const Visit& visit) {
    const std::int64_t before = done_;
    const auto take = [&](embed::ImageStretch& stretch) {
      bad_ += std::ssize(stretch.bad);
      for (const embed::ImageBatch& batch : stretch.batches) {
        const auto rows = features_(batch.images).to(torch::kCPU, torch::kFloat32);  // [B, P, D]
        if (!rows.isfinite().all().item<bool>())
          fail(ErrorKind::Data, "[patches] {}: {}", set.images().name(stretch.indices.front()),
               embed::kNotFinite);
        for (std::size_t i = 0; i < batch.rows.size(); ++i)
          visit(stretch.indices[static_cast<std::size_t>(batch.rows[i])],
                rows[static_cast<std::int64_t>(i)]);
      }
      done_ = before + stretch.done;
      if (progress_) progress_(done_, total_);
      return !stop_.stop_requested();
    };
    try {
      embed::for_each_stretch(set.images(), order, owner_.preprocess_,
                              {.batch_size = 64, .patch_size = owner_.patch_size_, .stop = stop_},
                              take);
    } catch (const model::Stopped&) {  // amid a batch
    }
    return !stop_.stop_requested();
  }
  std::int64_t bad() const { return bad_; }

 private:
  const PatchSegmentation& owner_;
  const PatchFeatures& features_;
  std::int64_t total_, done_ = 0, bad_ = 0;
  const std::function<void(std::int64_t, std::int64_t)>& progress_;
  const std::stop_token& stop_;
};

PatchSegmentation::PatchSegmentation(const std::filesystem::path& folder,
                                     const data::Preprocess& network, int patch_size,
                                     const PatchProtocol& protocol)
    : train_(folder, data::SceneSplit::Train),
      test_(folder, data::SceneSplit::Test),
      preprocess_(whole_scenes(network, train_.side_px(), patch_size, protocol)),
      patch_size_(patch_size),
      protocol_(protocol) {
  if (protocol.gallery < 1 || protocol.scenes < 0)
    fail(ErrorKind::Usage, "[patches] gallery and scenes must not be negative: {}, {}",
         protocol.gallery, protocol.scenes);
}

/** The same number of patches of every training scene, drawn from the seed. */
std::optional<LabeledPatches> PatchSegmentation::gather(Walk& walk) const {
  const int grid = preprocess_.image_size / patch_size_;
  const auto order = evenly(train_.size(), protocol_.gallery);
  const std::int64_t patches = std::int64_t{grid} * grid, scenes = std::ssize(order);
  const std::int64_t each = std::min(patches, (protocol_.gallery + scenes - 1) / scenes);
  LabeledPatches gathered{{}, {}, std::ssize(class_names())};
  std::vector<std::int64_t> labels;
  const bool whole = walk.over(train_, order, [&](std::int64_t scene, const torch::Tensor& rows) {
    DINO_ASSERT(rows.size(0) == patches);
    if (!gathered.features.defined())
      gathered.features = torch::empty({each * scenes, rows.size(1)});
    Rng rng(protocol_.seed, 0, static_cast<std::uint64_t>(scene));
    const auto taken = random_permutation(patches, rng);
    const auto classes = data::patch_labels(train_.class_map(scene), grid, grid);
    auto to = gathered.features.narrow(0, std::ssize(labels), each);
    at::index_select_out(to, rows, 0,
                         torch::tensor(std::vector(taken.begin(), taken.begin() + each)));
    for (std::int64_t i = 0; i < each; ++i)
      labels.push_back(classes[static_cast<std::size_t>(taken[static_cast<std::size_t>(i)])]);
  });
  if (!whole) return std::nullopt;
  if (labels.empty())
    fail(ErrorKind::Data, "[patches] none of the {} training scenes can be read", scenes);
  gathered.features = gathered.features.narrow(0, 0, std::ssize(labels));  // [n, D]
  gathered.labels = torch::tensor(labels);
  return gathered;
}

std::optional<PatchFigures> PatchSegmentation::measure(
    const PatchFeatures& features, const std::function<void(std::int64_t, std::int64_t)>& progress,
    const std::stop_token& stop) const {
  const torch::NoGradGuard no_grad;
  std::vector<std::int64_t> order(static_cast<std::size_t>(
      protocol_.scenes > 0 ? std::min(protocol_.scenes, test_.size()) : test_.size()));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  Walk walk(*this, features, std::min(train_.size(), protocol_.gallery) + std::ssize(order),
            progress, stop);
  const auto gallery = gather(walk);
  if (!gallery) return std::nullopt;
  const NeighborVotes votes(*gallery, protocol_.k, protocol_.temperature);
  const SoftmaxRegression regression(*gallery, protocol_.regression);
  ConfusionMatrix knn(gallery->classes), linear(gallery->classes);
  PatchFigures figures;
  figures.gallery_patches = gallery->features.size(0);
  const bool whole = walk.over(test_, order, [&](std::int64_t scene, const torch::Tensor& rows) {
    const image::Image truth = test_.class_map(scene);
    judge(knn, truth, votes(rows));
    judge(linear, truth, regression(rows));
    ++figures.scenes;
  });
  if (!whole) return std::nullopt;
  figures.bad = walk.bad();
  figures.knn = knn.score();
  figures.linear = linear.score();
  return figures;
}

}  // namespace dino::eval
