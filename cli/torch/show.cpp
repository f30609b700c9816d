// dino show attention|pca|neighbors.
#include <algorithm>
#include <numeric>

#include "cli/show_images.h"
#include "cli/torch/actions.h"
#include "cli/torch/network.h"
#include "dino/base/error.h"
#include "dino/embed/pictures.h"

namespace dino::cli {
namespace {

/** Flags of attention and PCA, which need a network and images. */
template <typename F>
image::Sheet map_sheet(const ShowFlags& flags, Context& context, F make) {
  const LoadedNetwork network = load_network(flags.network, context);
  report_precision(context, flags.network, network);
  const auto dataset = open_images(flags.images, data::source_options(network.preprocess));
  const auto squares = embed::load_squares(*dataset, chosen(flags, *dataset), network.preprocess,
                                           static_cast<int>(network.architecture.patch_size()),
                                           flags.network.max_tokens);
  if (squares.empty()) fail(ErrorKind::Data, "[show] none of the chosen images can be read");
  return make(*network.backbone, squares,
              {.preprocess = network.preprocess,
               .patch_size = static_cast<int>(network.architecture.patch_size()),
               .stride = flags.stride});
}

}  // namespace

image::Sheet show_attention(const ShowFlags& flags, Context& context) {
  return map_sheet(flags, context, embed::attention_sheet);
}

image::Sheet show_pca(const ShowFlags& flags, Context& context) {
  return map_sheet(flags, context, embed::pca_sheet);
}

image::Sheet show_neighbors(const ShowFlags& flags, Context& context) {
  const LoadedNetwork network = load_network(flags.network, context);
  report_precision(context, flags.network, network);
  const auto queries = open_images(flags.images, data::source_options(network.preprocess));
  const bool same = flags.gallery.empty() || flags.gallery == flags.images;
  const auto other =
      same ? nullptr : data::open_dataset(flags.gallery, data::source_options(network.preprocess));
  const data::Dataset& gallery = same ? *queries : *other;
  const auto extract = [&](const data::Dataset& dataset, const std::string& source) {
    auto options = extract_options(context, source);
    options.patch_size = static_cast<int>(network.architecture.patch_size());
    options.max_tokens = flags.network.max_tokens;
    auto matrix = embed::extract_features(*network.backbone, dataset, network.preprocess,
                                          embed::FeatureKind::Cls, options);
    report_bad_images(context, matrix, source);
    return matrix;
  };
  const auto indices = chosen(flags, *queries);
  const auto bank = extract(gallery, same ? flags.images : flags.gallery);
  std::vector<std::int64_t> rows;
  if (same) {  // the queries' features are among those of the gallery
    for (const auto index : indices) {
      const auto found = std::find(bank.indices.begin(), bank.indices.end(), index);
      if (found != bank.indices.end()) rows.push_back(found - bank.indices.begin());
    }
    return embed::neighbor_sheet({gallery, bank}, {gallery, bank}, rows, network.preprocess,
                                 {.k = flags.k, .center = flags.center});
  }
  const auto picked = data::subset(*queries, indices);
  const auto asked = extract(*picked, flags.images);
  rows.resize(asked.indices.size());
  std::iota(rows.begin(), rows.end(), 0);
  return embed::neighbor_sheet({gallery, bank}, {*picked, asked}, rows, network.preprocess,
                               {.k = flags.k, .center = flags.center});
}

}  // namespace dino::cli
