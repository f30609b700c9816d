// The flags of commands that load a network: the weights file, the preprocessing and the precision.
#pragma once
#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <string>

#include "cli/context.h"
#include "dino/arch/architecture.h"
#include "dino/embed/feature_matrix.h"
#include "dino/embed/image_batches.h"
#include "dino/model/backbone_file.h"

namespace dino::cli {

struct NetworkFlags {
  std::string weights;  ///< file, folder, or a run directory
  weights::ReadOptions read;
  std::string precision = "fp32";               ///< fp32, bf16 or int8
  std::int64_t max_tokens = embed::kMaxTokens;  ///< limit of patches per image; 0 = no limit
  int image_size = 0;                           ///< px; 0 = as trained
  int resize = 0;                               ///< px, short side; 0 = see data::Preprocess
  /// A name in data::kFitWords; empty = from the weights
  std::string fit;
  std::string remainder;          ///< a name in data::kRemainderWords; empty = from the weights
  std::vector<double> mean, std;  ///< per channel; empty = from the weights
  std::optional<image::ValueRange> value_range;  ///< not set = from the weights
};

/** Adds --arch, --network, --prefix, --positions. */
void add_read_flags(CLI::App& command, weights::ReadOptions& options);

/** The precision called "fp32", "bf16" or "int8". */
model::Precision precision_of(const std::string& name);

/** Adds --value-range LOW HIGH. */
void add_value_range(CLI::App& command, std::optional<image::ValueRange>& range);

/** Warns if 8 bits or the range of values would lose information of the images. */
void report_values(Context& context, const data::Dataset& dataset,
                   const data::Preprocess& preprocess, const std::string& source);

/** Adds --weights, --image-size, --resize, --mean, --std, --precision, --max-tokens, --value-range.
 */
void add_network_flags(CLI::App& command, NetworkFlags& flags);

/** Adds --fit and --remainder, for commands that take images of any shape. */
void add_fit_flags(CLI::App& command, NetworkFlags& flags);

struct LoadedNetwork {
  std::shared_ptr<model::Backbone> backbone;
  arch::Architecture architecture;
  data::Preprocess preprocess;
};

/** Reads the weights and logs what was assumed about them. With `untrained`, returns the same
 * architecture with weights initialized from seed 0. */
LoadedNetwork load_network(const NetworkFlags& flags, Context& context, bool untrained = false);

/** Logs a message if features are not computed in the requested precision. */
void report_precision(Context& context, const NetworkFlags& flags, const LoadedNetwork& network);

/** Options for embed::extract_features that show progress on a terminal. */
embed::ExtractOptions extract_options(Context& context, const std::string& what);

/** Warns about images that were skipped. */
void report_bad_images(Context& context, const embed::FeatureMatrix& matrix,
                       const std::string& source);

/** Throws Error{Usage} if `path` exists, unless `force`. */
void check_output_free(const std::string& path, bool force);

}  // namespace dino::cli
