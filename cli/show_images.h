// The images that `dino show` shows.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "cli/torch_actions.h"
#include "dino/data/sources/dataset.h"

namespace dino::cli {

/** The indices that --index names, or --count of them spread over the classes. Throws Error{Usage}
 * for one that is not in the data set. */
std::vector<std::int64_t> chosen(const ShowFlags& flags, const data::Dataset& dataset);

/** Throws Error{Usage} if --images is missing, and the errors of data::open_dataset(). */
std::unique_ptr<data::Dataset> open_images(const std::string& source,
                                           const data::SourceOptions& options);

}  // namespace dino::cli
