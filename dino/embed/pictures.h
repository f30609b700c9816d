// What a network looks at, as contact sheets: attention of each head, patch features as colors,
// nearest neighbors. One function per picture, for `dino show` and the report alike.
#pragma once
#include <cstdint>
#include <vector>

#include "dino/data/prepare/preprocess.h"
#include "dino/data/sources/dataset.h"
#include "dino/embed/feature_matrix.h"
#include "dino/image/pictures/sheet.h"
#include "dino/model/backbone.h"

namespace dino::embed {

/** How images are fed for maps. */
struct MapOptions {
  data::Preprocess preprocess;
  int patch_size = 16;  ///< px, of the backbone
  int stride = 0;  ///< px between cells of the map, a divisor of patch_size (see dense_map); 0 =
                   ///< suggested_stride
};

/** An image as the network gets it, and for people to look at. */
struct Square {
  image::Image picture;
  data::Prepared input;
};

/** The images at `indices`; those that cannot be read are left out. Throws Error{Data} if one needs
 * more than `max_tokens` patches of `patch_size` px; 0 = any number. */
std::vector<Square> load_squares(const data::Dataset& dataset,
                                 const std::vector<std::int64_t>& indices,
                                 const data::Preprocess& preprocess, int patch_size = 1,
                                 std::int64_t max_tokens = 0);

/** `count` indices spread over the data set, or over its classes in turn if there are labels.
 * Deterministic. */
std::vector<std::int64_t> sample_indices(const data::Dataset& dataset, int count);

/** One row per image: the image, the mean over heads, each head. Each map runs from its own lowest
 * to its highest value. Throws Error{Usage} without images or where the architecture has no
 * attention. */
image::Sheet attention_sheet(model::Backbone& backbone, const std::vector<Square>& squares,
                             const MapOptions& options);

/** Images above, first three principal components of their patch features below, fitted on all of
 * them together: same color, same feature. */
image::Sheet pca_sheet(model::Backbone& backbone, const std::vector<Square>& squares,
                       const MapOptions& options);

/** Where neighbors are looked up: the images, and their rows. */
struct FeatureSet {
  const data::Dataset& dataset;
  const FeatureMatrix& matrix;
};

struct NeighborOptions {
  int k = 8;            ///< neighbors per query
  bool center = false;  ///< subtract the gallery's mean feature first, as in k-NN
};

/** One row per query: the image and its nearest gallery images, framed green or red by whether the
 * classes agree, if there are labels. A gallery image of the query's own name is the query itself
 * and left out. `rows` are rows of queries.matrix. */
image::Sheet neighbor_sheet(const FeatureSet& gallery, const FeatureSet& queries,
                            const std::vector<std::int64_t>& rows,
                            const data::Preprocess& preprocess, const NeighborOptions& options);

}  // namespace dino::embed
