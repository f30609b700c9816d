// Images into a feature store: what is missing there is read, run through the network and added.
#pragma once
#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "dino/data/prepare/preprocess.h"
#include "dino/data/sources/dataset.h"
#include "dino/embed/feature_store_writer.h"
#include "dino/model/backbone.h"

namespace dino::embed {

struct EmbedOptions {
  int batch_size = 64;          ///< images per forward pass, at most
  int threads = 0;              ///< see BatchOptions
  std::int64_t max_tokens = 0;  ///< an image of more patches is bad; 0 = any number
  double commit_seconds = 2;    ///< work that a kill may lose, in whole stretches; 0 = each of them
  std::function<void(std::int64_t done, std::int64_t total)> progress = {};  ///< of what is missing
  std::stop_token stop = {};  ///< ends at the network's next block; what was done is committed
};

struct EmbedResult {
  std::int64_t added = 0;        ///< rows
  std::int64_t known = 0;        ///< images that were there already, or known to be bad
  std::int64_t bad_count = 0;    ///< of those looked at now
  std::int64_t not_finite = 0;   ///< of the bad: read, but their features hold NaN or infinity
  std::vector<std::string> bad;  ///< "name: reason", the first 100
  bool stopped = false;
  double seconds = 0;        ///< all
  double model_seconds = 0;  ///< in the network
  double store_seconds = 0;  ///< writing; the rest is waiting for images
};

/** Adds the images of `dataset` whose names `store` does not know, in their order, prepared by
 * `preprocess` (which store.header() must speak of). Batches depend on what is missing alone, not
 * on when a former call ended: stopped, killed and started again gives the same bytes, on the same
 * machine with the same threads. The backbone runs in eval mode without gradients. Throws
 * Error{Data} if the store stays empty because no image can be read. */
EmbedResult embed_images(model::Backbone& backbone, const data::Dataset& dataset,
                         const data::Preprocess& preprocess, FeatureStoreWriter& store,
                         const EmbedOptions& options);

/** Of all parameters and buffers, with their names and shapes: the same for the same values in
 * whatever file they came. 32 hexadecimal digits. */
std::string weights_hash(const torch::nn::Module& module);

}  // namespace dino::embed
