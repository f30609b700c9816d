// Allocates and fills batches: their sizes, masks and the rows of each image's crops. The loader
// decides which images and on which thread.
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
  int patch_size = 16;     ///< px, side of a mask's cell
  int rank = 0;            ///< each rank draws different masks
  MaskOptions masks = {};  ///< none by default
  MixOptions mixes = {};   ///< none by default
  SampleType type = SampleType::F32;
};

/** Makes the crops of images and writes them into batches. Thread-safe. */
class BatchMaker {
 public:
  /** Throws Error{Config} on options out of range, on masks with a global size that is not a
   * multiple of the patch, and on U8 with crops that are resized in floats (gram_distorted). */
  BatchMaker(const MultiCropOptions& crops, BatchOptions options);

  /** Prepares a new or recycled batch for `iteration`: sets sizes and draws masks. Reuses buffers
   * that are large enough. */
  void begin(CropBatch& batch, std::int64_t iteration) const;
  /** Makes all crops of an image with `channels` channels and writes them to the rows of image
   * `position` in [0, B). Calls for different positions may run concurrently, each with its own
   * workspace. Planes cannot be written to batches of U8. */
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
  std::vector<MultiCropOptions> crops_;  // [number of mixes]
  Normalizer normalize_;
};

}  // namespace dino::data
