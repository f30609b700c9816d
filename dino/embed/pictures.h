// Visualizations of a network as contact sheets, for `dino show` and the report: attention of each
// head, patch features as colors, nearest neighbors.
#pragma once
#include <cstdint>
#include <vector>

#include "dino/data/prepare/preprocess.h"
#include "dino/data/sources/dataset.h"
#include "dino/embed/feature_matrix.h"
#include "dino/image/pictures/sheet.h"
#include "dino/model/backbone.h"

namespace dino::embed {

/** How maps are computed. */
struct MapOptions {
  data::Preprocess preprocess;
  int patch_size = 16;  ///< px, of the backbone
  int stride = 0;  ///< px between cells of the map, a divisor of patch_size (see dense_map); 0 =
                   ///< suggested_stride
};

/** An image as network input and as an 8-bit image for display. */
struct Square {
  image::Image picture;
  data::Prepared input;
};

/** Loads the images at `indices`; unreadable ones are skipped. Throws Error{Data} if one has more
 * than `max_tokens` patches of `patch_size` px; 0 = no limit. */
std::vector<Square> load_squares(const data::Dataset& dataset,
                                 const std::vector<std::int64_t>& indices,
                                 const data::Preprocess& preprocess, int patch_size = 1,
                                 std::int64_t max_tokens = 0);

/** One row per image: the image, the mean over heads, each head. Each map is scaled from its lowest
 * to its highest value. Throws Error{Usage} without images or if the architecture has no
 * attention. */
image::Sheet attention_sheet(model::Backbone& backbone, const std::vector<Square>& squares,
                             const MapOptions& options);

/** Images above, the first three principal components of their patch features as RGB below. The
 * components are fitted on all images together. */
image::Sheet pca_sheet(model::Backbone& backbone, const std::vector<Square>& squares,
                       const MapOptions& options);

/** A data set and its features. Borrowed. */
struct FeatureSet {
  const data::Dataset& dataset;
  const FeatureMatrix& matrix;
};

struct NeighborOptions {
  int k = 8;            ///< neighbors per query
  bool center = false;  ///< subtract the gallery's mean feature first, as in k-NN
};

/** One row per query: the image and its nearest gallery images, framed green if their class is the
 * query's, else red, if there are labels. A gallery image with the query's name is excluded.
 * `rows` are rows of queries.matrix. */
image::Sheet neighbor_sheet(const FeatureSet& gallery, const FeatureSet& queries,
                            const std::vector<std::int64_t>& rows,
                            const data::Preprocess& preprocess, const NeighborOptions& options);

}  // namespace dino::embed
