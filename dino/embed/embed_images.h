// Adds the features of a data set's images to a feature store, for those that it does not have yet.
#pragma once
#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "dino/data/prepare/preprocess.h"
#include "dino/data/sources/dataset.h"
#include "dino/embed/store/feature_store_writer.h"
#include "dino/model/backbone.h"

namespace dino::embed {

struct EmbedOptions {
  int batch_size = 64;          ///< images per forward pass, at most
  int threads = 0;              ///< see BatchOptions
  std::int64_t max_tokens = 0;  ///< images with more patches count as bad; 0 = no limit
  /// Time between commits, at the end of a stretch; 0 = after each one
  double commit_seconds = 2;
  /// Counts the images to be added
  std::function<void(std::int64_t done, std::int64_t total)> progress = {};
  std::stop_token stop = {};  ///< when requested, ends at the network's next block and commits
};

struct EmbedResult {
  std::int64_t added = 0;        ///< rows
  std::int64_t known = 0;        ///< images in the store already, or known to be bad
  std::int64_t bad_count = 0;    ///< bad images found in this call
  std::int64_t not_finite = 0;   ///< of the bad: images whose features contain NaN or infinity
  std::vector<std::string> bad;  ///< "name: reason", the first 100
  bool stopped = false;
  double seconds = 0;        ///< total time
  double model_seconds = 0;  ///< time in the network
  double store_seconds = 0;  ///< time of writing; the rest is waiting for images
};

/** Adds the images of `dataset` whose names are not in `store`, in their order, prepared by
 * `preprocess`, which must be that of store.header(). Batches depend only on which images are
 * missing, so a run that was stopped or killed and restarted gives the same bytes on the same
 * machine with the same number of threads. The backbone runs in eval mode without gradients.
 * Throws Error{Data} if the store stays empty because no image can be read. */
EmbedResult embed_images(model::Backbone& backbone, const data::Dataset& dataset,
                         const data::Preprocess& preprocess, FeatureStoreWriter& store,
                         const EmbedOptions& options);

/** A hash of all parameters and buffers with their names and shapes, independent of the file
 * format. 32 hexadecimal digits. */
std::string weights_hash(const torch::nn::Module& module);

}  // namespace dino::embed
