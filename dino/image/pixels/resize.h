// Resampling equal, bit for bit, to Pillow's Image.resize(size, resample, box) on 8-bit images: the
// crops of a training run are then the crops the reference pipelines produce.
#pragma once
#include "dino/image/image.h"
#include "dino/image/pixels/filter.h"
#include "dino/image/pixels/workspace.h"

namespace dino::image {

/** Scales the whole image to width x height px. Antialiased: when shrinking, the filter widens with
 * the scale. Throws Error{Usage} on an empty image or a target below 1 px. Thread-safe. */
Image resize(const Image& source, int width, int height, Filter filter = Filter::Bicubic);

/** Scales the region `box` of the image to width x height px; taps may reach outside the box but
 * not outside the image, as in Pillow. Reads only the rows it needs. Throws Error{Usage} as above
 * and on a box outside the image. Thread-safe. */
Image resize_crop(const Image& source, Box box, int width, int height,
                  Filter filter = Filter::Bicubic);

/** resize_crop() into `out`, whose memory is kept where it suffices, as is the workspace's. Nothing
 * outside the view is read. `out` must not be what the view shows. */
void resize_into(const ImageView& source, Box box, int width, int height, Filter filter, Image& out,
                 Workspace& workspace);

/** What resize_crop() refuses, for other versions of it. */
void check_resize(int source_width, int source_height, const Box& box, int width, int height);

/** Whether rows are scaled before columns: Pillow 13 does so where that shrinks the image much
 * more; the order shows in the rounding. */
bool takes_rows_first(int source_width, int source_height, int width, int height);

}  // namespace dino::image
