// Weights as commands take them: which file, how images are fed, at what precision.
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
  std::int64_t max_tokens = embed::kMaxTokens;  ///< of an image; 0 = any number
  int image_size = 0;                           ///< px; 0 = as trained
  int resize = 0;                               ///< px, short side; 0 = see data::Preprocess
  std::string fit;                              ///< of data::kFitWords; empty = as the weights say
  std::string remainder;          ///< of data::kRemainderWords; empty = as the weights say
  std::vector<double> mean, std;  ///< per channel; empty = as the weights say
  std::optional<image::ValueRange> value_range;  ///< none = as the weights say
};

/** --arch, --network, --prefix, --positions. */
void add_read_flags(CLI::App& command, weights::ReadOptions& options);

/** "fp32", "bf16" or "int8". */
model::Precision precision_of(const std::string& name);

/** --value-range LOW HIGH. */
void add_value_range(CLI::App& command, std::optional<image::ValueRange>& range);

/** Warns where 8 bits or the range would lose the pictures. */
void report_values(Context& context, const data::Dataset& dataset,
                   const data::Preprocess& preprocess, const std::string& source);

/** --weights, --image-size, --resize, --mean, --std, --precision, --max-tokens, --value-range. */
void add_network_flags(CLI::App& command, NetworkFlags& flags);

/** --fit, --remainder: for commands that take images of any shape. */
void add_fit_flags(CLI::App& command, NetworkFlags& flags);

struct LoadedNetwork {
  std::shared_ptr<model::Backbone> backbone;
  arch::Architecture architecture;
  data::Preprocess preprocess;
};

/** Reads the weights, and says what had to be assumed of them. With `untrained`, the same
 * architecture with fresh weights drawn from seed 0. */
LoadedNetwork load_network(const NetworkFlags& flags, Context& context, bool untrained = false);

/** Says so if features are not computed in the precision that was asked for. */
void report_precision(Context& context, const NetworkFlags& flags, const LoadedNetwork& network);

/** Extraction options that show progress on a terminal. */
embed::ExtractOptions extract_options(Context& context, const std::string& what);

/** Warns about images that were left out. */
void report_bad_images(Context& context, const embed::FeatureMatrix& matrix,
                       const std::string& source);

/** Throws Error{Usage} if `path` exists and may not be replaced. */
void check_output_free(const std::string& path, bool force);

}  // namespace dino::cli
