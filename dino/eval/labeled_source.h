// Images to be classified by name: a source of which those that have a label are kept.
#pragma once
#include <cstdint>
#include <memory>
#include <string>

#include "dino/data/prepare/preprocess.h"
#include "dino/data/sources/dataset.h"

namespace dino::eval {

struct LabeledSource {
  std::unique_ptr<data::Dataset> images;
  std::int64_t left_out = 0;  ///< images without a label
  std::string notes;          ///< what the source says of its labels: "; ..."; often empty
};

/** Opens `source` as networks with this preprocessing see it. Throws Error{Data} if nothing in it
 * has a label; `key` is how the user names it ("--train", "knn.test"). */
LabeledSource open_labeled(const std::string& source, const data::Preprocess& preprocess,
                           const char* key);

}  // namespace dino::eval
