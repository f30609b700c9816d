// Networks as the flags of a command ask for them, and what is said about them.
#pragma once
#include <memory>
#include <string>

#include "cli/context.h"
#include "cli/network_flags.h"
#include "dino/arch/architecture.h"
#include "dino/embed/feature_matrix.h"
#include "dino/model/backbone_file.h"

namespace dino::cli {

/** The precision called "fp32", "bf16" or "int8". */
model::Precision precision_of(const std::string& name);

/** Warns if 8 bits or the range of values would lose information of the images. */
void report_values(Context& context, const data::Dataset& dataset,
                   const data::Preprocess& preprocess, const std::string& source);

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

}  // namespace dino::cli
