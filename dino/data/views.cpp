#include "dino/data/views.h"

#include <limits>
#include <utility>

namespace dino::data {
namespace {

constexpr auto kSharedView = std::numeric_limits<std::uint64_t>::max();  // no view has this number

/** Half of the local windows lie in each global crop. */
std::size_t parent_of(int local, const MultiCropOptions& options) {
  return 2 * local < options.local_count ? 0 : 1;
}

/** The region and mirroring of `record` without its colours, as a view of `size` px. */
CropRecord clean(CropRecord record, int size) {
  record.size = size;
  record.painted_size = size;
  record.jittered = record.grayscaled = record.blurred = record.solarized = false;
  return record;
}

}  // namespace

ViewDraw draw_views(int width, int height, const MultiCropOptions& options, const SampleKey& key) {
  ViewDraw draw;
  if (options.shared_jitter) draw.shared = draw_shared_colors(options, key.view(kSharedView));
  for (int view = 0; view < 2 + options.local_count; ++view) {
    const Rng rng = key.view(static_cast<std::uint64_t>(view));
    const bool window = view >= 2 && options.local_window_step > 0;
    draw.crops.push_back(window
                             ? draw_window(draw.crops[parent_of(view - 2, options)], options, rng)
                             : draw_crop(width, height, view, options, rng));
  }
  return draw;
}

void for_each_view(const image::Image& source, const MultiCropOptions& options,
                   const SampleKey& key, const std::function<void(const View&)>& visit) {
  const ViewDraw draw = draw_views(source.width, source.height, options, key);
  image::Image recolored;
  if (draw.shared) {
    recolored = source;
    change_colors(recolored, *draw.shared);
  }
  const image::Image& image = draw.shared ? recolored : source;
  const bool windows = options.local_window_step > 0;
  image::Image bases[2];  // of the global crops, before their colours
  for (int i = 0; i < 2; ++i) {
    const CropRecord& record = draw.crops[static_cast<std::size_t>(i)];
    image::Image& base = bases[i];
    base = crop_base(image, record);
    if (options.clean_teacher) {
      const CropRecord teacher = clean(record, options.global_size);
      visit({ViewKind::Teacher, i, paint_crop(base, teacher), teacher});
    }
    if (options.gram_size > 0 && !options.gram_distorted) {
      const CropRecord gram = clean(record, options.gram_size);
      visit({ViewKind::Gram, i, paint_crop(base, gram), gram});
    }
    const image::Image painted = paint_crop(windows ? base : std::move(base), record);
    visit({ViewKind::Global, i, painted, record});
    if (options.gram_size > 0 && options.gram_distorted) {
      CropRecord gram = record;
      gram.size = options.gram_size;
      visit({ViewKind::Gram, i, painted, gram});
    }
  }
  for (int i = 0; i < options.local_count; ++i) {
    const CropRecord& record = draw.crops[static_cast<std::size_t>(2 + i)];
    image::Image base = windows ? bases[parent_of(i, options)] : crop_base(image, record);
    visit({ViewKind::Local, i, paint_crop(std::move(base), record), record});
  }
}

}  // namespace dino::data
