// A dense metric: how well patch features tell the class of every pixel of composed scenes
// (data/scenes), by k-NN and by a linear classifier over frozen patches.
#pragma once
#include <torch/types.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "dino/data/prepare/preprocess.h"
#include "dino/data/scenes/scene_set.h"
#include "dino/eval/patch_classifiers.h"
#include "dino/eval/segmentation_score.h"
#include "dino/model/backbone.h"

namespace dino::eval {

struct PatchProtocol {
  int image_size =
      0;  ///< px of the square fed to the network; 0 = the scenes' own, in whole patches
  std::int64_t gallery = 20'000;  ///< patches of training scenes to learn from, about
  std::int64_t scenes = 0;        ///< test scenes to judge, the first so many; 0 = all
  int k = 20;
  double temperature = 0.07;
  RegressionOptions regression = {};
  std::uint64_t seed = 0;  ///< which patches of a training scene are taken
};

struct PatchFigures {
  SegmentationScore knn, linear;
  std::int64_t gallery_patches = 0;
  std::int64_t scenes = 0;  ///< judged
  std::int64_t bad = 0;     ///< scenes that could not be read, of both splits
};

/** Features of patches [B, P, D], row by row of the grid, of images [B, C, H, W]. */
using PatchFeatures = std::function<torch::Tensor(const torch::Tensor& images)>;

/** Patch tokens after the final norm. Borrows the network, which is in eval mode during a call and
 * ends it with model::Stopped when `stop` is requested. */
PatchFeatures patch_tokens(model::Backbone& backbone, std::stop_token stop = {});
/** The normalized pixels of each patch: the baseline without a network. */
PatchFeatures patch_pixels(int patch_size);

/** Opens a set of scenes once and judges features by it. Not thread-safe. */
class PatchSegmentation {
 public:
  /** `network` says how the network's images are normalized; scenes are fed whole. Throws the
   * errors of SceneSet, Error{Usage} on options out of range. */
  PatchSegmentation(const std::filesystem::path& folder, const data::Preprocess& network,
                    int patch_size, const PatchProtocol& protocol);

  /** A patch of a training scene has the class of most of its px. Each test scene's scores per
   * patch and class are scaled to its size by bilinear interpolation (corners not aligned), and the
   * best class of every px is compared with its true one. Memory is that of the gallery and of a
   * batch. `progress` is given the scenes done and in all. Empty if stopped. Throws Error{Data} on
   * features that are not finite, or if no scene can be read. */
  std::optional<PatchFigures> measure(
      const PatchFeatures& features,
      const std::function<void(std::int64_t, std::int64_t)>& progress = {},
      const std::stop_token& stop = {}) const;

  const std::vector<std::string>& class_names() const { return train_.class_names(); }
  /** What the network is fed with, px. */
  int image_size() const { return preprocess_.image_size; }

 private:
  class Walk;
  std::optional<LabeledPatches> gather(Walk& walk) const;

  data::SceneSet train_, test_;
  data::Preprocess preprocess_;
  int patch_size_;
  PatchProtocol protocol_;
};

}  // namespace dino::eval
