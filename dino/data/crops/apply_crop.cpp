// Applies a drawn view to pixels in the reference's order: crop and resize, flip, color jitter,
// gray, blur, solarize. DINOv3's Gram crops add a second resize, before the colors or after them.
#include "dino/data/crops/apply_crop.h"

#include <algorithm>
#include <type_traits>
#include <utility>

#include "dino/image/pixels/blur.h"
#include "dino/image/pixels/color.h"
#include "dino/image/pixels/planes_ops.h"
#include "dino/image/pixels/resize.h"
#include "dino/image/pixels/tap_blur.h"

namespace dino::data {
namespace {

/** Copies `width` pixels of `items` values from column `left` of a row that has `columns` of them;
 * columns outside are as the nearest one inside. */
template <typename Value>
void cut_row(const Value* row, int columns, int left, int width, int items, Value* out) {
  const auto repeat = [&](int from, int begin, int end) {
    for (int x = begin; x < end; ++x) std::copy_n(row + from * items, items, out + x * items);
  };
  const int begin = std::clamp(-left, 0, width), end = std::clamp(columns - left, begin, width);
  repeat(0, 0, begin);
  std::copy_n(row + (left + begin) * items, (end - begin) * items, out + begin * items);
  repeat(columns - 1, end, width);
}

/** The pixels of the record's box; outside the image as the nearest pixel inside. The reference
 * cuts before it resizes, so the resize must not see pixels outside the box. */
void cut(const image::Image& source, const CropRecord& box, image::Image& out) {
  out.reshape(box.width, box.height, source.channels);
  for (int y = 0; y < box.height; ++y)
    cut_row(source.row(std::clamp(box.top + y, 0, source.height - 1)), source.width, box.left,
            box.width, source.channels, out.row(y));
}

void cut(const image::Planes& source, const CropRecord& box, image::Planes& out) {
  out.reshape(box.width, box.height, source.channels);
  for (int c = 0; c < source.channels; ++c)
    for (int y = 0; y < box.height; ++y)
      cut_row(source.row(c, std::clamp(box.top + y, 0, source.height - 1)), source.width, box.left,
              box.width, 1, out.row(c, y));
}

template <typename Source>
image::Box whole(const Source& source) {
  return {0, 0, static_cast<float>(source.width), static_cast<float>(source.height)};
}

void resize_square(const image::ImageView& source, int size, image::Image& out,
                   CropWorkspace& workspace) {
  image::resize_into(source, whole(source), size, size, image::Filter::Bicubic, out,
                     workspace.pixels);
}

void resize_square(const image::Planes& source, int size, image::Planes& out, CropWorkspace&) {
  out = image::resize_crop(source, whole(source), size, size);
}

/** Resizes the view itself. */
template <typename Pixels>
void resize_view(Pixels& view, int size, CropWorkspace& workspace) {
  if (view.width == size) return;
  Pixels& piece = workspace.room<Pixels>().piece;
  resize_square(view, size, piece, workspace);
  std::swap(view, piece);
}

/** The same operations as those of ColorChain, at once. */
class PlaneColors {
 public:
  explicit PlaneColors(image::Planes& planes) : planes_(planes) {}
  void brightness(double factor) { image::adjust_brightness(planes_, factor); }
  void contrast(double factor) { image::adjust_contrast(planes_, factor); }
  void saturation(double factor) { image::adjust_saturation(planes_, factor); }
  void hue(double turns) { image::adjust_hue(planes_, turns); }
  void grayscale() { image::to_grayscale(planes_); }
  void solarize() { image::solarize(planes_); }
  void run() {}

 private:
  image::Planes& planes_;
};

image::ColorChain colors_of(image::Image& view, const CropWorkspace& workspace) {
  return image::ColorChain(view, *workspace.pixels.kernels);
}
PlaneColors colors_of(image::Planes& view, const CropWorkspace&) {
  return PlaneColors(view);
}

template <typename Colors>
void jitter(Colors& colors, const ColorRecord& record) {
  for (const int step : record.order) {
    if (step == 0) colors.brightness(record.brightness);
    if (step == 1) colors.contrast(record.contrast);
    if (step == 2) colors.saturation(record.saturation);
    if (step == 3) colors.hue(record.hue);
  }
}

void blur_as_pillow(image::Image& view, double radius, CropWorkspace& workspace) {
  image::gaussian_blur(view, radius, workspace.pixels);
}
void blur_as_pillow(image::Planes& view, double radius, CropWorkspace&) {
  image::gaussian_blur(view, radius);
}

/** An 8-bit image is resized where it lies. */
bool can_resize_in_place(const image::Image& source, const CropRecord& record) {
  return record.left >= 0 && record.top >= 0 && record.left + record.width <= source.width &&
         record.top + record.height <= source.height;
}

}  // namespace

template <typename Pixels>
void crop_unmirrored(const Pixels& source, const CropRecord& record, Pixels& base,
                     CropWorkspace& workspace) {
  const Stopwatch watch = timed(workspace, &StageSeconds::crop);
  if constexpr (std::is_same_v<Pixels, image::Image>)
    if (can_resize_in_place(source, record)) {
      const image::ImageView view(source, record.left, record.top, record.width, record.height);
      return resize_square(view, record.base_size, base, workspace);
    }
  Pixels& piece = workspace.room<Pixels>().piece;
  cut(source, record, piece);
  resize_square(piece, record.base_size, base, workspace);
}

template <typename Pixels>
void change_colors(Pixels& view, const ColorRecord& record, CropWorkspace& workspace) {
  auto colors = colors_of(view, workspace);
  if (record.jittered || record.grayscaled) {
    const Stopwatch watch = timed(workspace, &StageSeconds::color);
    if (record.jittered) jitter(colors, record);
    if (record.grayscaled) colors.grayscale();
    if (record.blurred || !record.solarized) colors.run();
  }
  if (record.blurred) {
    const Stopwatch watch = timed(workspace, &StageSeconds::blur);
    if (record.blur_taps)
      image::gaussian_blur_taps(view, record.blur_radius, *record.blur_taps);
    else
      blur_as_pillow(view, record.blur_radius, workspace);
  }
  if (record.solarized) {
    const Stopwatch watch = timed(workspace, &StageSeconds::color);
    colors.solarize();
    colors.run();
  }
}

template <typename Pixels>
void paint_crop(Pixels& view, const CropRecord& record, CropWorkspace& workspace) {
  {
    const Stopwatch watch = timed(workspace, &StageSeconds::crop);
    resize_view(view, record.painted_size, workspace);
  }
  change_colors(view, record.colors, workspace);
  if (!record.window) return;
  Pixels& piece = workspace.room<Pixels>().piece;
  cut(view,
      {.left = record.window_left,
       .top = record.window_top,
       .width = record.size,
       .height = record.size},
      piece);
  std::swap(view, piece);
}

template void crop_unmirrored(const image::Image&, const CropRecord&, image::Image&,
                              CropWorkspace&);
template void crop_unmirrored(const image::Planes&, const CropRecord&, image::Planes&,
                              CropWorkspace&);
template void paint_crop(image::Image&, const CropRecord&, CropWorkspace&);
template void paint_crop(image::Planes&, const CropRecord&, CropWorkspace&);
template void change_colors(image::Image&, const ColorRecord&, CropWorkspace&);
template void change_colors(image::Planes&, const ColorRecord&, CropWorkspace&);

image::Image apply_crop(const image::Image& source, const CropRecord& record) {
  CropWorkspace workspace;
  image::Image view;
  crop_unmirrored(source, record, view, workspace);
  if (record.flipped) image::flip_horizontal(view);
  paint_crop(view, record, workspace);
  resize_view(view, record.size, workspace);
  return view;
}

}  // namespace dino::data
