// Matches the classes of two data sets by name, since each numbers them differently.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "dino/embed/feature_matrix.h"

namespace dino::eval {

/** The gallery's class for each query class, by name. The gallery may have more classes. Throws
 * Error{Data} naming the classes that it lacks. `gallery` and `queries` name the two in messages.
 */
std::vector<std::int64_t> match_classes(const std::vector<std::string>& gallery_names,
                                        const std::vector<std::string>& query_names,
                                        const std::string& gallery, const std::string& queries);

/** Replaces the labels of the queries by class_of[label]; -1 is kept. */
void relabel(embed::FeatureMatrix& queries, const std::vector<std::int64_t>& class_of);

}  // namespace dino::eval
