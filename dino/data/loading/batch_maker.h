// What a batch holds: its sizes, its masks, and the rows that the crops of each image fill. The
// loader decides which images and which thread.
#pragma once
#include <cstdint>
#include <vector>

#include "dino/data/crops/crop_mix.h"
#include "dino/data/crops/ibot_mask.h"
#include "dino/data/crops/views.h"
#include "dino/data/loading/batch.h"
#include "dino/data/prepare/normalizer.h"

namespace dino::data {

struct BatchOptions {
  int batch_size = 64;  ///< B, images
  int channels = 3;     ///< C
  std::uint64_t seed = 0;
  int patch_size = 16;     ///< px of a mask's cell
  int rank = 0;            ///< each rank draws masks of its own
  MaskOptions masks = {};  ///< none by default
  MixOptions mixes = {};   ///< none by default
  SampleType type = SampleType::F32;
};

/** Thread-safe. */
class BatchMaker {
 public:
  /** Throws Error{Config} on options out of range, on a size that is no multiple of the patch where
   * there are masks, and on U8 where crops are resized in floats (gram_distorted). */
  BatchMaker(const MultiCropOptions& crops, BatchOptions options);

  /** Gives a new or recycled batch the sizes of `iteration` and its masks; keeps buffers that are
   * large enough. */
  void begin(CropBatch& batch, std::int64_t iteration) const;
  /** Makes all crops of an image of `channels` channels and writes them to the rows of image
   * `position` in [0, B). Calls for different positions may run at the same time, each with its
   * workspace. Planes do not fit batches of U8. */
  void write(const image::Image& source, const SampleKey& key, int position, CropBatch& batch,
             CropWorkspace& workspace) const;
  void write(const image::Planes& source, const SampleKey& key, int position, CropBatch& batch,
             CropWorkspace& workspace) const;

 private:
  template <typename Pixels>
  void write_views(const Pixels& source, const SampleKey& key, int position, CropBatch& batch,
                   CropWorkspace& workspace) const;
  template <typename Pixels>
  void write_row(const ViewOf<Pixels>& view, int size, std::size_t row, AlignedBuffer& out) const;

  BatchOptions options_;
  std::vector<MultiCropOptions> crops_;  // [mixes], at least one
  Normalizer normalize_;
};

}  // namespace dino::data
