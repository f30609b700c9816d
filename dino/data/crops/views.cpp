#include "dino/data/crops/views.h"

#include <limits>
#include <utility>

#include "dino/data/crops/apply_crop.h"
#include "dino/image/pixels/color.h"
#include "dino/image/pixels/planes_ops.h"

namespace dino::data {
namespace {

constexpr auto kSharedView = std::numeric_limits<std::uint64_t>::max();  // no view has this number

/** Half of the local windows lie in each global crop. */
std::size_t parent_of(int local, const MultiCropOptions& options) {
  return 2 * local < options.local_count ? 0 : 1;
}

/** The region and mirroring of `record` without its colors, as a view of `size` px. */
CropRecord clean(CropRecord record, int size) {
  record.size = size;
  record.painted_size = size;
  record.colors = {};
  return record;
}

/** `globals`: the first two views, where they are drawn already. */
CropRecord draw_view(int width, int height, int view, const CropRecord* globals,
                     const MultiCropOptions& options, const SampleKey& key) {
  const Rng rng = key.view(static_cast<std::uint64_t>(view));
  if (view >= 2 && options.local_window_step > 0)
    return draw_window(globals[parent_of(view - 2, options)], options, rng);
  return draw_crop(width, height, view, options, rng);
}

std::optional<ColorRecord> draw_shared(const MultiCropOptions& options, const SampleKey& key) {
  if (!options.shared_jitter) return std::nullopt;
  return draw_shared_colors(options, key.view(kSharedView));
}

template <typename Pixels, typename Visit>
void make_views(const Pixels& source, const MultiCropOptions& options, const SampleKey& key,
                CropWorkspace& workspace, const Visit& visit) {
  CropRoom<Pixels>& room = workspace.room<Pixels>();
  const std::optional<ColorRecord> shared = draw_shared(options, key);
  if (shared) {
    room.shared = source;
    change_colors(room.shared, *shared, workspace);
  }
  const Pixels& image = shared ? room.shared : source;
  CropRecord globals[2];
  const bool windows = options.local_window_step > 0;
  const bool grams = options.gram_size > 0;
  // A view can be mirrored while it is copied, but a base that several views share, or that windows
  // are cut from, is mirrored here once.
  const bool mirror_first = windows || grams || options.clean_teacher;
  for (int i = 0; i < 2; ++i) {
    CropRecord& record = globals[i];
    record = draw_view(source.width, source.height, i, globals, options, key);
    Pixels& base = room.views[i];  // before its colors
    crop_unmirrored(image, record, base, workspace);
    if (mirror_first && record.flipped) image::flip_horizontal(base);
    const auto visit_copy = [&](ViewKind kind, const CropRecord& of) {
      Pixels copy = base;
      paint_crop(copy, of, workspace);
      visit({kind, i, copy, false, of});
    };
    if (options.clean_teacher) visit_copy(ViewKind::Teacher, clean(record, options.global_size));
    if (grams && !options.gram_distorted)
      visit_copy(ViewKind::Gram, clean(record, options.gram_size));
    Pixels kept;
    if (windows) kept = base;
    paint_crop(base, record, workspace);
    visit({ViewKind::Global, i, base, record.flipped && !mirror_first, record});
    if (grams && options.gram_distorted) {
      CropRecord gram = record;
      gram.size = options.gram_size;
      visit({ViewKind::Gram, i, base, false, gram});
    }
    if (windows) base = std::move(kept);
  }
  for (int i = 0; i < options.local_count; ++i) {
    const CropRecord record = draw_view(source.width, source.height, 2 + i, globals, options, key);
    if (windows) {
      Pixels view = room.views[parent_of(i, options)];
      paint_crop(view, record, workspace);
      visit({ViewKind::Local, i, view, false, record});
    } else {
      Pixels& view = room.views[0];
      crop_unmirrored(image, record, view, workspace);
      paint_crop(view, record, workspace);
      visit({ViewKind::Local, i, view, record.flipped, record});
    }
  }
}

template <typename Pixels, typename Visit>
void make_mirrored_views(const Pixels& source, const MultiCropOptions& options,
                         const SampleKey& key, const Visit& visit) {
  CropWorkspace workspace;
  make_views(source, options, key, workspace, [&](const ViewOf<Pixels>& view) {
    if (!view.mirror) return visit(view);
    Pixels mirrored = view.pixels;
    image::flip_horizontal(mirrored);
    visit({view.kind, view.number, mirrored, false, view.record});
  });
}

}  // namespace

ViewDraw draw_views(int width, int height, const MultiCropOptions& options, const SampleKey& key) {
  ViewDraw draw;
  draw.shared = draw_shared(options, key);
  for (int view = 0; view < 2 + options.local_count; ++view)
    draw.crops.push_back(draw_view(width, height, view, draw.crops.data(), options, key));
  return draw;
}

void for_each_view(const image::Image& source, const MultiCropOptions& options,
                   const SampleKey& key, CropWorkspace& workspace,
                   const std::function<void(const View&)>& visit) {
  make_views(source, options, key, workspace, visit);
}

void for_each_view(const image::Planes& source, const MultiCropOptions& options,
                   const SampleKey& key, CropWorkspace& workspace,
                   const std::function<void(const WideView&)>& visit) {
  make_views(source, options, key, workspace, visit);
}

void for_each_view(const image::Image& source, const MultiCropOptions& options,
                   const SampleKey& key, const std::function<void(const View&)>& visit) {
  make_mirrored_views(source, options, key, visit);
}

void for_each_view(const image::Planes& source, const MultiCropOptions& options,
                   const SampleKey& key, const std::function<void(const WideView&)>& visit) {
  make_mirrored_views(source, options, key, visit);
}

}  // namespace dino::data
