// A drawn view made of pixels. Pixels is image::Image (8 bits, the references' own operations) or
// image::Planes (any number of bands, without loss of range; see planes_ops.h). All functions are
// thread-safe with a workspace per thread.
#pragma once
#include "dino/data/crops/crop_workspace.h"
#include "dino/data/crops/multi_crop.h"

namespace dino::data {

/** The geometry: cuts the record's box into `base`, resized to base_size. Not mirrored: only
 * windows depend on left and right, every other reader of the view may mirror it while it copies.
 */
template <typename Pixels>
void crop_unmirrored(const Pixels& source, const CropRecord& record, Pixels& base,
                     CropWorkspace& workspace);

/** Makes the base `view` the colored one in place: colors at painted_size, then the window if there
 * is one. What remains is the resize to `size`. */
template <typename Pixels>
void paint_crop(Pixels& view, const CropRecord& record, CropWorkspace& workspace);

/** Jitter, gray, blur and solarize alone, in place. */
template <typename Pixels>
void change_colors(Pixels& view, const ColorRecord& record, CropWorkspace& workspace);

/** All of it, mirrored where the record says so: the finished view, 8-bit pixels before
 * normalization. */
image::Image apply_crop(const image::Image& source, const CropRecord& record);

}  // namespace dino::data
