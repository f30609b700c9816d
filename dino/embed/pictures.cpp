#include "dino/embed/pictures.h"

#include <fmt/format.h>
#include <torch/types.h>

#include <algorithm>
#include <span>

#include "dino/base/error.h"
#include "dino/embed/dense.h"
#include "dino/embed/neighbors.h"
#include "dino/embed/pca.h"
#include "dino/image/pictures/draw.h"

namespace dino::embed {
namespace {

int stride_of(const MapOptions& options) {
  return options.stride > 0 ? options.stride
                            : suggested_stride(options.preprocess.image_size, options.patch_size);
}

/** [n, C, H, W] */
torch::Tensor to_batch(const std::vector<Square>& squares, int channels) {
  if (squares.empty()) fail(ErrorKind::Usage, "[show] no images");
  const int height = squares.front().input.height, width = squares.front().input.width;
  auto batch = torch::empty({std::ssize(squares), channels, height, width});
  float* out = batch.data_ptr<float>();
  for (const auto& [picture, input] : squares) {
    if (input.height != height || input.width != width)
      fail(ErrorKind::Usage,
           "[show] the images are fed in different sizes, {} x {} and {} x {} px; choose one, or "
           "another fit",
           width, height, input.width, input.height);
    out = std::ranges::copy(input.pixels, out).out;
  }
  return batch;
}

/** Network input without the right and lower remainder that does not fill a patch, so that maps
 * cover their image exactly. */
torch::Tensor whole_patches(const std::vector<Square>& squares, const MapOptions& options) {
  const auto batch = to_batch(squares, options.preprocess.channels);
  const std::int64_t height = batch.size(2) / options.patch_size * options.patch_size;
  const std::int64_t width = batch.size(3) / options.patch_size * options.patch_size;
  if (height == 0 || width == 0)
    fail(ErrorKind::Usage, "[show] images of {} px hold no patch of {} px", batch.size(2),
         options.patch_size);
  return batch.narrow(2, 0, height).narrow(3, 0, width);  // [B, C, H, W]
}

image::Image heat(const torch::Tensor& map) {
  const auto values = map.to(torch::kFloat32).contiguous();  // [gh, gw]
  return image::heat_map({values.const_data_ptr<float>(), static_cast<std::size_t>(values.numel())},
                         static_cast<int>(values.size(1)), static_cast<int>(values.size(0)));
}

/** Throws if the values are not finite, since an image of NaN would be misleading. */
void require_finite(const torch::Tensor& maps) {
  if (const auto rows = rows_not_finite(maps); !rows.empty())
    fail(ErrorKind::Data, "[show] image {} of {}: {}", rows.front() + 1, maps.size(0), kNotFinite);
}

std::string class_name(const data::Dataset& dataset, std::int64_t label) {
  const auto& names = dataset.class_names();
  if (label < 0) return {};
  const auto index = static_cast<std::size_t>(label);
  return index < names.size() ? names[index] : std::to_string(label);
}

image::Tile tile_of(const FeatureSet& set, std::size_t row, std::string caption,
                    const data::Preprocess& preprocess) {
  return {.image = data::eval_crop(set.dataset, set.matrix.indices[row], preprocess),
          .caption = std::move(caption)};
}

}  // namespace

std::vector<Square> load_squares(const data::Dataset& dataset,
                                 const std::vector<std::int64_t>& indices,
                                 const data::Preprocess& preprocess, int patch_size,
                                 std::int64_t max_tokens) {
  const data::Preparer prepare(preprocess, /*patch_size=*/1);
  std::vector<Square> squares;
  for (const auto index : indices) {
    try {
      data::Prepared input = prepare(dataset, index);
      data::check_token_count(input.height, input.width, patch_size, max_tokens);
      squares.push_back({data::eval_crop(dataset, index, preprocess), std::move(input)});
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::Io && error.kind() != ErrorKind::Format) throw;
    }
  }
  return squares;
}

image::Sheet attention_sheet(model::Backbone& backbone, const std::vector<Square>& squares,
                             const MapOptions& options) {
  const auto images = whole_patches(squares, options);
  const auto maps =
      dense_map(images, options.patch_size, stride_of(options), [&](const torch::Tensor& batch) {
        return attention_map(backbone, batch);
      });  // [B, h, gh, gw]
  require_finite(maps);
  const auto mean = maps.mean(1);  // [B, gh, gw]
  image::Sheet sheet{
      .title = "Attention of the last block",
      .caption =
          "How much the CLS token looks at each place, per head. Dark is little, yellow much; "
          "each map has its own scale.",
      .column_titles = {"image", "mean"},
      .columns = static_cast<int>(maps.size(1)) + 2};
  for (std::int64_t h = 0; h < maps.size(1); ++h)
    sheet.column_titles.push_back(fmt::format("head {}", h + 1));
  for (std::size_t i = 0; i < squares.size(); ++i) {
    const auto row = static_cast<std::int64_t>(i);
    sheet.tiles.push_back({.image = squares[i].picture});
    sheet.tiles.push_back({.image = heat(mean[row])});
    for (std::int64_t h = 0; h < maps.size(1); ++h)
      sheet.tiles.push_back({.image = heat(maps[row][h])});
  }
  return sheet;
}

image::Sheet pca_sheet(model::Backbone& backbone, const std::vector<Square>& squares,
                       const MapOptions& options) {
  const auto images = whole_patches(squares, options);
  const auto maps =
      dense_map(images, options.patch_size, stride_of(options), [&](const torch::Tensor& batch) {
        return patch_map(backbone, batch);
      }).permute({0, 2, 3, 1});  // [B, gh, gw, D]
  require_finite(maps);
  const auto pca = fit_pca(maps.flatten(0, 2));
  const auto scores = project(pca, maps);  // [B, gh, gw, 3]
  const auto range = fit_color_range(scores.flatten(0, 2));
  image::Sheet sheet{
      .title = "Patch features as colors",
      .caption = fmt::format(
          "The first three principal components of the patch features, fitted on these images "
          "together, as red, green and blue: one color, one kind of feature. They hold {:.0f} % "
          "of "
          "the variance.",
          100 * pca.explained.sum().item<double>()),
      .columns = static_cast<int>(std::min<std::size_t>(squares.size(), 8))};
  const auto columns = static_cast<std::size_t>(sheet.columns);
  for (std::size_t begin = 0; begin < squares.size(); begin += columns) {
    for (std::size_t i = begin; i < begin + columns; ++i)
      sheet.tiles.push_back({.image = i < squares.size() ? squares[i].picture : image::Image{}});
    for (std::size_t i = begin; i < begin + columns; ++i)
      sheet.tiles.push_back({.image = i < squares.size()
                                          ? to_rgb(scores[static_cast<std::int64_t>(i)], range)
                                          : image::Image{}});
  }
  return sheet;
}

image::Sheet neighbor_sheet(const FeatureSet& gallery, const FeatureSet& queries,
                            const std::vector<std::int64_t>& rows,
                            const data::Preprocess& preprocess, const NeighborOptions& options) {
  if (rows.empty()) fail(ErrorKind::Usage, "[show] no query images");
  const auto ready =
      cosine_rows(queries.matrix.features.index_select(0, torch::tensor(rows, torch::kInt64)),
                  gallery.matrix.features, options.center);
  const auto found = nearest_neighbors(ready.queries, ready.gallery, {.k = options.k + 1});
  image::Sheet sheet{
      .title = "Nearest neighbors",
      .caption =
          "Each row: an image, then the gallery images whose CLS features point most nearly "
          "the same way, with their cosine similarity. The network saw no labels.",
      .column_titles = {"image"},
      .columns = options.k + 1};
  for (int j = 1; j <= options.k; ++j) sheet.column_titles.push_back(std::to_string(j));
  const auto similarity = found.similarity.accessor<double, 2>();
  const auto index = found.index.accessor<std::int64_t, 2>();
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto query = static_cast<std::size_t>(rows[i]);
    const auto label = queries.matrix.labels[query];
    const std::string own_name = queries.dataset.name(queries.matrix.indices[query]);
    sheet.tiles.push_back(tile_of(queries, query, class_name(queries.dataset, label), preprocess));
    int shown = 0;
    for (std::int64_t j = 0; j < found.index.size(1) && shown < options.k; ++j) {
      const auto row = static_cast<std::size_t>(index[static_cast<std::int64_t>(i)][j]);
      if (gallery.dataset.name(gallery.matrix.indices[row]) == own_name) continue;
      const auto other = gallery.matrix.labels[row];
      const auto name = class_name(gallery.dataset, other);
      auto tile = tile_of(gallery, row,
                          fmt::format("{}{}{:.2f}", name, name.empty() ? "" : " ",
                                      similarity[static_cast<std::int64_t>(i)][j]),
                          preprocess);
      if (label >= 0 && other >= 0)
        tile.mark = label == other ? image::Mark::Good : image::Mark::Bad;
      sheet.tiles.push_back(std::move(tile));
      ++shown;
    }
    sheet.tiles.resize(static_cast<std::size_t>(sheet.columns) * (i + 1));  // a small gallery
  }
  return sheet;
}

}  // namespace dino::embed
