// Resampling of 8-bit images, equal bit for bit to Pillow's Image.resize(size, resample, box), so
// that crops equal those of the reference pipelines.
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

/** As resize_crop(), into `out`, whose memory is reused if it suffices, as is the workspace's.
 * Reads nothing outside the view. `out` must not be the image that the view shows. */
void resize_into(const ImageView& source, Box box, int width, int height, Filter filter, Image& out,
                 Workspace& workspace);

/** Throws the errors of resize_crop(). */
void check_resize(int source_width, int source_height, const Box& box, int width, int height);

/** Whether the image is scaled along y before x, as Pillow 13 does if that shrinks it much more.
 * The order affects rounding. */
bool takes_rows_first(int source_width, int source_height, int width, int height);

}  // namespace dino::image
