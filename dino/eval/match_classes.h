// Labels of two data sets that number their classes each in its own way.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "dino/embed/feature_matrix.h"

namespace dino::eval {

/** The gallery's class of each query class, by name. The gallery may have more classes. Throws
 * Error{Data} naming the classes that it lacks: no neighbor could ever vote for them. `gallery`
 * and `queries` are what messages call the two. */
std::vector<std::int64_t> match_classes(const std::vector<std::string>& gallery_names,
                                        const std::vector<std::string>& query_names,
                                        const std::string& gallery, const std::string& queries);

/** Labels of the queries as the gallery numbers them; -1 stays. */
void relabel(embed::FeatureMatrix& queries, const std::vector<std::int64_t>& class_of);

}  // namespace dino::eval
