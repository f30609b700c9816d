// All crops of one image, in the order the references make them, sharing the steps they share.
#pragma once
#include <functional>
#include <optional>
#include <vector>

#include "dino/data/crops/crop_workspace.h"
#include "dino/data/crops/multi_crop.h"

namespace dino::data {

/** Names the random streams of one image's crops. */
struct SampleKey {
  std::uint64_t seed = 0, epoch = 0, index = 0;
  Rng view(std::uint64_t number) const { return Rng(seed, epoch, index, number); }
};

/** Everything drawn for one image of width x height px. Thread-safe. */
struct ViewDraw {
  std::optional<ColorRecord> shared;  ///< colors of the whole image (shared_jitter)
  std::vector<CropRecord> crops;      ///< [2 + local_count]
};
ViewDraw draw_views(int width, int height, const MultiCropOptions& options, const SampleKey& key);

enum class ViewKind { Global, Teacher, Gram, Local };

/** One view. Valid during the call that gets it. */
template <typename Pixels>
struct ViewOf {
  ViewKind kind;
  int number;            ///< of its kind, from 0
  const Pixels& pixels;  ///< still to be resized to record.size if gram_distorted
  bool mirror;           ///< left and right are still to change places
  const CropRecord& record;
};
using View = ViewOf<image::Image>;  ///< as 8-bit pixels
using WideView = ViewOf<image::Planes>;

/** Calls visit(view) for the two global crops, each with its clean and its Gram version if
 * the options ask for them, then for the local ones. Equal keys give equal pixels. Thread-safe
 * with a workspace per thread. */
void for_each_view(const image::Image& source, const MultiCropOptions& options,
                   const SampleKey& key, CropWorkspace& workspace,
                   const std::function<void(const View&)>& visit);
void for_each_view(const image::Planes& source, const MultiCropOptions& options,
                   const SampleKey& key, CropWorkspace& workspace,
                   const std::function<void(const WideView&)>& visit);

/** The same in memory of its own, every view mirrored where it should be. */
void for_each_view(const image::Image& source, const MultiCropOptions& options,
                   const SampleKey& key, const std::function<void(const View&)>& visit);
void for_each_view(const image::Planes& source, const MultiCropOptions& options,
                   const SampleKey& key, const std::function<void(const WideView&)>& visit);

}  // namespace dino::data
