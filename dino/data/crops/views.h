// Makes all crops of one image, in the order of the reference code; steps that crops have in common
// are computed once.
#pragma once
#include <functional>
#include <optional>
#include <vector>

#include "dino/data/crops/crop_workspace.h"
#include "dino/data/crops/multi_crop.h"

namespace dino::data {

/** The key of the random streams of one image's crops. */
struct SampleKey {
  std::uint64_t seed = 0, epoch = 0, index = 0;
  Rng view(std::uint64_t number) const { return Rng(seed, epoch, index, number); }
};

/** All random parameters of one image's views. */
struct ViewDraw {
  std::optional<ColorRecord> shared;  ///< color changes of the whole image (shared_jitter)
  std::vector<CropRecord> crops;      ///< [2 + local_count]
};
/** Draws the views of an image of width x height px. Thread-safe. */
ViewDraw draw_views(int width, int height, const MultiCropOptions& options, const SampleKey& key);

enum class ViewKind { Global, Teacher, Gram, Local };

/** One view, valid only during the call of `visit`. */
template <typename Pixels>
struct ViewOf {
  ViewKind kind;
  int number;            ///< index within its kind, from 0
  const Pixels& pixels;  ///< not yet resized to record.size if gram_distorted
  bool mirror;           ///< the pixels are still to be mirrored horizontally
  const CropRecord& record;
};
using View = ViewOf<image::Image>;  ///< as 8-bit pixels
using WideView = ViewOf<image::Planes>;

/** Calls visit(view) for the two global crops, each together with its clean and its Gram version if
 * the options enable them, then for the local crops. Equal keys give equal pixels. Thread-safe
 * with a workspace per thread. */
void for_each_view(const image::Image& source, const MultiCropOptions& options,
                   const SampleKey& key, CropWorkspace& workspace,
                   const std::function<void(const View&)>& visit);
void for_each_view(const image::Planes& source, const MultiCropOptions& options,
                   const SampleKey& key, CropWorkspace& workspace,
                   const std::function<void(const WideView&)>& visit);

/** As above with a temporary workspace; views are already mirrored. */
void for_each_view(const image::Image& source, const MultiCropOptions& options,
                   const SampleKey& key, const std::function<void(const View&)>& visit);
void for_each_view(const image::Planes& source, const MultiCropOptions& options,
                   const SampleKey& key, const std::function<void(const WideView&)>& visit);

}  // namespace dino::data
