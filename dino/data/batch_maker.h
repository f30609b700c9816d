// What a batch holds: its sizes, its masks, and the rows that the crops of each image fill. The
// loader decides which images and which thread.
#pragma once
#include <cstdint>
#include <vector>

#include "dino/data/batch.h"
#include "dino/data/crop_mix.h"
#include "dino/data/ibot_mask.h"
#include "dino/data/views.h"

namespace dino::data {

struct BatchOptions {
  int batch_size = 64;  ///< B, images
  int channels = 3;     ///< C
  std::uint64_t seed = 0;
  int patch_size = 16;     ///< px of a mask's cell
  int rank = 0;            ///< each rank draws masks of its own
  MaskOptions masks = {};  ///< none by default
  MixOptions mixes = {};   ///< none by default
};

/** Thread-safe. */
class BatchMaker {
 public:
  /** Throws Error{Config} on options out of range or a size that is no multiple of the patch where
   * there are masks. */
  BatchMaker(const MultiCropOptions& crops, BatchOptions options);

  /** Gives a new or recycled batch the sizes of `iteration` and its masks; keeps buffers that are
   * large enough. */
  void begin(CropBatch& batch, std::int64_t iteration) const;
  /** Makes all crops of an image of `channels` channels and writes them to the rows of image
   * `position` in [0, B). Calls for different positions may run at the same time,
   * each with its workspace. */
  void write(const image::Image& source, const SampleKey& key, int position, CropBatch& batch,
             CropWorkspace& workspace) const;

 private:
  BatchOptions options_;
  std::vector<MultiCropOptions> crops_;  // [mixes], at least one
  Normalizer normalize_;
};

}  // namespace dino::data
