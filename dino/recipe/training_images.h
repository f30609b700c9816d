// The images that a recipe's [data] section names, and how they become batches; how the [knn]
// section prepares images.
#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "dino/base/cores.h"
#include "dino/data/loading/loader.h"
#include "dino/data/prepare/preprocess.h"
#include "dino/data/sources/dataset.h"
#include "dino/data/sources/image_stream.h"
#include "dino/recipe/recipe.h"

namespace dino::recipe {

/** Opens data.train or data.sources. Throws Error{Data|Io|Format}; Error{Config} where a stream is
 * part of a mixture or has a limit. */
class TrainingImages {
 public:
  /** `cache`: folder that keeps indices between starts; empty = none. */
  explicit TrainingImages(const Recipe& recipe, const std::filesystem::path& cache = {});

  /** With data.limit, so many of them, drawn by the seed. nullptr of a stream. */
  const data::Dataset* dataset() const { return limited_ ? limited_.get() : all_.get(); }
  /** nullptr unless data.train is one. */
  const data::ImageStream* stream() const { return stream_.get(); }

 private:
  std::unique_ptr<data::Dataset> all_, limited_;
  std::unique_ptr<data::ImageStream> stream_;
};

/** What the recipe says of reading files. */
data::SourceOptions source_options(const Recipe& recipe);

/** What the recipe says of batches, for a training that computes with `threads` threads. Those of
 * rank `rank` of `world` hold train.batch_size / world images; throws Error{Config} if that is no
 * whole number. */
data::LoaderOptions loader_options(const Recipe& recipe, int threads = usable_processors(),
                                   int rank = 0, int world = 1);

/** The preprocessing of a recipe's evaluation: knn.image_size and knn.resize, else the size of the
 * global crops. */
data::Preprocess knn_preprocess(const Recipe& recipe);

/** What to set where the samples do not suit the recipe: see data::value_advice(). */
std::vector<std::string> value_advice(const TrainingImages& images, const Recipe& recipe);

/** data.train, or the paths of data.sources; for messages. */
std::string describe_source(const Data& data);

/** Where a run in `run` keeps the indices of its sources: beside it, for the next run there. */
std::filesystem::path index_folder(const std::filesystem::path& run);

}  // namespace dino::recipe
