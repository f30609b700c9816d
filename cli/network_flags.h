// The flags of commands that load a network: the weights file, the preprocessing and the precision.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "dino/data/prepare/preprocess.h"
#include "dino/weights/read.h"

namespace CLI {
class App;
}

namespace dino::cli {

struct NetworkFlags {
  std::string weights;  ///< file, folder, or a run directory
  weights::ReadOptions read;
  std::string precision = "fp32";              ///< fp32, bf16 or int8
  std::int64_t max_tokens = data::kMaxTokens;  ///< limit of patches per image; 0 = no limit
  int image_size = 0;                          ///< px; 0 = as trained
  int resize = 0;                              ///< px, short side; 0 = see data::Preprocess
  /// A name in data::kFitWords; empty = from the weights
  std::string fit;
  std::string remainder;          ///< a name in data::kRemainderWords; empty = from the weights
  std::vector<double> mean, std;  ///< per channel; empty = from the weights
  std::optional<image::ValueRange> value_range;  ///< not set = from the weights
};

/** Adds --weights, --image-size, --resize, --mean, --std, --precision, --max-tokens, --value-range.
 */
void add_network_flags(CLI::App& command, NetworkFlags& flags);

/** Adds --arch, --network, --prefix, --positions. */
void add_read_flags(CLI::App& command, weights::ReadOptions& options);

/** Adds --fit and --remainder, for commands that take images of any shape. */
void add_fit_flags(CLI::App& command, NetworkFlags& flags);

/** Adds --value-range LOW HIGH. */
void add_value_range(CLI::App& command, std::optional<image::ValueRange>& range);

/** Throws Error{Usage} if --weights is missing. */
void check_weights(const NetworkFlags& flags);

}  // namespace dino::cli
