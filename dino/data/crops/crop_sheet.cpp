#include "dino/data/crops/crop_sheet.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>
#include <iterator>
#include <optional>
#include <span>
#include <utility>

#include "dino/base/error.h"
#include "dino/data/crops/crop_geometry.h"
#include "dino/data/crops/rng_streams.h"
#include "dino/data/crops/views.h"
#include "dino/image/pictures/draw.h"
#include "dino/image/pixels/planes_ops.h"
#include "dino/image/pixels/resize.h"

namespace dino::data {
namespace {

using image::Color;

constexpr int kLargestTile = 256;  // px; larger views are shown reduced
constexpr Color kFirst = {214, 39, 40}, kSecond = {31, 119, 240}, kLocal = {255, 200, 0};
constexpr Color kCover = {96, 96, 104}, kGridLine = {150, 150, 160};

/** Describes the changes of pixels in the order in which they were applied. */
std::string describe(bool mirrored, const ColorRecord& colors, int channels) {
  std::vector<std::string> done;
  if (mirrored) done.emplace_back("mirrored");
  if (colors.jittered) done.emplace_back(channels == 3 ? "colors" : "contrast");
  if (colors.grayscaled && channels == 3) done.emplace_back("gray");
  if (colors.blurred) done.push_back(fmt::format("blur {:.1f} px", colors.blur_radius));
  if (colors.solarized) done.emplace_back("solarized");
  return done.empty() ? "unchanged" : fmt::format("{}", fmt::join(done, ", "));
}

/** An image for display and, with full_range, as the source of crops. */
struct Source {
  image::Image picture;
  image::Planes planes;  ///< empty without full_range
  int channels() const { return planes.empty() ? picture.channels : planes.channels; }
};

std::optional<Source> load(const Dataset& dataset, std::int64_t index, bool full_range) {
  try {
    if (!full_range) return Source{dataset.load(index), {}};
    image::Planes planes = dataset.load_wide(index);
    image::Image picture = image::to_picture(planes, image::sample_range(planes));
    return Source{std::move(picture), std::move(planes)};
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::Io && error.kind() != ErrorKind::Format) throw;
    return std::nullopt;
  }
}

/** Calls for_each_view() with the views converted for display. */
void for_each_picture(const Source& source, const MultiCropOptions& crops, const SampleKey& key,
                      const std::function<void(const View&)>& visit) {
  if (source.planes.empty()) return for_each_view(source.picture, crops, key, visit);
  const image::SampleRange range = image::sample_range(source.planes);
  for_each_view(source.planes, crops, key, [&](const WideView& view) {
    visit({view.kind, view.number, image::to_picture(view.pixels, range), false, view.record});
  });
}

/** Shrinks an image to at most kLargestTile px on its longer side. */
image::Image reduced(const image::Image& picture) {
  const int longest = std::max(picture.width, picture.height);
  if (longest <= kLargestTile) return picture;
  const auto side = [&](int px) { return std::max(1, px * kLargestTile / longest); };
  return image::resize(picture, side(picture.width), side(picture.height));
}

void outline(image::Image& picture, const CropBox& box, Color color, int thickness) {
  const auto bar = [&](int left, int top, int width, int height) {
    if (width > 0 && height > 0)
      image::paste(picture, image::filled(width, height, 3, color), left, top);
  };
  bar(box.left, box.top, box.width, thickness);
  bar(box.left, box.top + box.height - thickness, box.width, thickness);
  bar(box.left, box.top, thickness, box.height);
  bar(box.left + box.width - thickness, box.top, thickness, box.height);
}

/** The region of the view in the source image, px, with the mirroring of windows undone. */
CropBox region(const CropRecord& r) {
  CropBox box{.left = r.left, .top = r.top, .width = r.width, .height = r.height};
  if (!r.window) return box;
  const int left = r.flipped ? r.painted_size - r.window_left - r.size : r.window_left;
  box.left += left * r.width / r.painted_size;
  box.top += r.window_top * r.height / r.painted_size;
  box.width = r.size * r.width / r.painted_size;
  box.height = r.size * r.height / r.painted_size;
  return box;
}

/** The source in the size of a tile with the outlines of its crops; black marks where crops may
 * reach beyond it. */
image::Image overview(const image::Image& source, const ViewDraw& draw, int pad,
                      std::size_t shown) {
  image::Image canvas = image::filled(source.width + 2 * pad, source.height + 2 * pad, 3, {});
  image::paste(canvas, source, pad, pad);
  const int longest = std::max(canvas.width, canvas.height);
  // Small images grow by whole factors, so that their pixels stay visible.
  canvas =
      longest > kLargestTile ? reduced(canvas) : image::enlarge(canvas, kLargestTile / longest);
  const double factor = static_cast<double>(std::max(canvas.width, canvas.height)) / longest;
  for (std::size_t i = std::min(shown, draw.crops.size()); i-- > 0;) {  // globals on top
    CropBox box = region(draw.crops[i]);
    const auto scaled = [&](int px) { return static_cast<int>(px * factor); };
    box = {.left = scaled(box.left + pad),
           .top = scaled(box.top + pad),
           .width = scaled(box.width),
           .height = scaled(box.height)};
    outline(canvas, box, i == 0 ? kFirst : i == 1 ? kSecond : kLocal, i < 2 ? 3 : 1);
  }
  return canvas;
}

/** The views of one image as tiles in the order of the columns. */
std::vector<image::Tile> view_tiles(const Source& source, const MultiCropOptions& crops,
                                    const SampleKey& key, int locals) {
  std::array<std::vector<image::Tile>, 4> by_kind;  // ViewKind's order
  for_each_picture(source, crops, key, [&](const View& view) {
    if (view.kind == ViewKind::Local && view.number >= locals) return;
    const int size = view.record.size;
    const image::Image pixels =
        view.pixels.width == size ? view.pixels : image::resize(view.pixels, size, size);
    by_kind[static_cast<std::size_t>(view.kind)].push_back(
        {.image = reduced(pixels),
         .caption =
             fmt::format("{} px, {}", size,
                         describe(view.record.flipped, view.record.colors, source.channels()))});
  });
  std::vector<image::Tile> tiles;
  for (auto& kind : by_kind) std::move(kind.begin(), kind.end(), std::back_inserter(tiles));
  return tiles;
}

std::string sizes_text(const std::vector<int>& sizes, int one) {
  return sizes.empty() ? fmt::format("{}", one) : fmt::format("{}", fmt::join(sizes, ", "));
}

/** A masked crop for display: masked patches are covered and the grid is drawn over them. */
image::Image covered(const image::Image& crop, std::span<const std::uint8_t> mask, int grid,
                     int patch_size) {
  image::Image picture = image::rgb_copy(crop);
  const image::Image cover = image::filled(patch_size, patch_size, 3, kCover);
  for (int y = 0; y < grid; ++y)
    for (int x = 0; x < grid; ++x) {
      if (mask[static_cast<std::size_t>(y * grid + x)] == 0) continue;
      const CropBox box{
          .left = x * patch_size, .top = y * patch_size, .width = patch_size, .height = patch_size};
      image::paste(picture, cover, box.left, box.top);
      if (patch_size >= 4) outline(picture, box, kGridLine, 1);
    }
  return picture;
}

}  // namespace

image::Sheet crop_sheet(const Dataset& dataset, const std::vector<std::int64_t>& indices,
                        const CropSheetOptions& options) {
  const MultiCropOptions& crops = options.crops;
  const MixOptions& mixes = options.mixes;
  const int locals = std::min(crops.local_count, options.max_locals);
  const bool gram = crops.gram_size > 0 || !mixes.gram_size.empty();
  image::Sheet sheet{
      .title = "What the network sees",
      .caption = fmt::format(
          "Each row: an image with the outlines of its crops (global 1 red, global 2 blue, local "
          "yellow), the global crops ({} px) and {} of its {} local crops ({} px). The student "
          "sees them all, the teacher only the global ones; all of a row must get the same answer.",
          sizes_text(mixes.global_size, crops.global_size), locals, crops.local_count,
          sizes_text(mixes.local_size, crops.local_size)),
      .column_titles = {"image"}};
  if (options.evaluation) {
    sheet.column_titles.emplace_back("evaluation");
    sheet.caption += " Evaluation sees one crop, unchanged.";
  }
  const auto add_pair = [&](const char* name) {
    for (const int number : {1, 2})
      sheet.column_titles.push_back(fmt::format("{} {}", name, number));
  };
  add_pair("global");
  if (crops.clean_teacher) add_pair("teacher's");
  if (gram) add_pair("Gram");
  for (int i = 0; i < locals; ++i) sheet.column_titles.push_back(fmt::format("local {}", i + 1));
  sheet.columns = static_cast<int>(sheet.column_titles.size());
  if (crops.clean_teacher) sheet.caption += " The teacher's crops have no change of color.";
  if (gram)
    sheet.caption += " Gram's teacher sees the regions of the global crops at its own size.";
  int row = 0;
  for (const auto index : indices) {
    const auto source = load(dataset, index, options.full_range);
    if (!source) continue;
    const int mix = mixes.any() ? row++ % static_cast<int>(mixes.probability.size()) : 0;
    const MultiCropOptions mixed = mixed_crops(crops, mixes, mix);
    const SampleKey key{options.seed, 0, static_cast<std::uint64_t>(index)};
    const image::Image& picture = source->picture;
    const ViewDraw draw = draw_views(picture.width, picture.height, mixed, key);
    sheet.tiles.push_back(
        {.image = overview(picture, draw, crops.pad, static_cast<std::size_t>(2 + locals)),
         .caption = fmt::format("{} x {} px", picture.width, picture.height)});
    if (draw.shared)
      sheet.tiles.back().caption +=
          "; in all crops: " + describe(false, *draw.shared, source->channels());
    if (options.evaluation) {
      const image::Image fed = eval_crop(picture, *options.evaluation);
      sheet.tiles.push_back(
          {.image = reduced(fed),
           .caption = fmt::format("{} x {} px, unchanged", fed.width, fed.height)});
    }
    for (auto& tile : view_tiles(*source, mixed, key, locals))
      sheet.tiles.push_back(std::move(tile));
  }
  return sheet;
}

image::Sheet mask_sheet(const Dataset& dataset, const std::vector<std::int64_t>& indices,
                        const CropSheetOptions& options, const MaskOptions& masks, int patch_size) {
  if (masks.share <= 0)
    fail(ErrorKind::Config,
         "[masks] this recipe masks nothing: masks.share = 0; try --set masks.share=0.5, or a "
         "recipe that extends crops/dinov2");
  const MultiCropOptions crops = mixed_crops(options.crops, options.mixes, 0);
  std::vector<std::pair<std::int64_t, Source>> sources;
  for (const auto index : indices)
    if (auto source = load(dataset, index, options.full_range))
      sources.emplace_back(index, std::move(*source));
  const int grid = crops.global_size / patch_size, patches = grid * grid;
  const int count = 2 * static_cast<int>(sources.size());  // of global crops
  image::Sheet sheet{
      .title = "What the student does not see",
      .caption = fmt::format(
          "Each row: the two global crops of an image as the teacher sees them, and with the "
          "patches covered that the student must predict ({} x {} patches of {} px). {} of these "
          "{} crops have a mask, of {:.0f} to {:.0f} % of their patches.",
          grid, grid, patch_size, static_cast<int>(count * masks.share), count,
          100 * masks.ratio[0], 100 * masks.ratio[1]),
      .column_titles = {"global 1", "masked", "global 2", "masked"},
      .columns = 4};
  if (sources.empty()) return sheet;
  const BatchMasks drawn =
      draw_masks(count, grid, grid, masks, batch_stream(options.seed, 0, BatchStream::Masks));
  for (std::size_t i = 0; i < sources.size(); ++i) {
    const auto& [index, source] = sources[i];
    const SampleKey key{options.seed, 0, static_cast<std::uint64_t>(index)};
    for_each_picture(source, crops, key, [&](const View& view) {
      if (view.kind != ViewKind::Global) return;
      const image::Image crop =
          view.pixels.width == crops.global_size
              ? view.pixels
              : image::resize(view.pixels, crops.global_size, crops.global_size);
      const auto row = static_cast<std::size_t>(view.number) * sources.size() + i;  // crop-major
      const auto mask =
          std::span(drawn.masked)
              .subspan(row * static_cast<std::size_t>(patches), static_cast<std::size_t>(patches));
      const auto masked = std::ranges::count(mask, std::uint8_t{1});
      sheet.tiles.push_back({.image = reduced(crop)});
      sheet.tiles.push_back(
          {.image = reduced(covered(crop, mask, grid, patch_size)),
           .caption = masked == 0 ? "no mask"
                                  : fmt::format("{} of {}, {:.0f} %", masked, patches,
                                                100.0 * static_cast<double>(masked) / patches)});
    });
  }
  return sheet;
}

}  // namespace dino::data
