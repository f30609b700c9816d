// Flattens the object of a torch.save file: tensors are named by their path, everything else
// becomes JSON.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "dino/format/pickle.h"

namespace dino::format {

struct TorchTree {
  struct Leaf {
    std::string name;  ///< keys joined by '.': "teacher.backbone.cls_token"
    const PickleValue* tensor = nullptr;
  };
  std::vector<Leaf> tensors;  ///< in the order of the file
  /** The values that are not tensors, nested as in the file. Containers that hold only tensors are
   * omitted; a tensor in a list is null. */
  nlohmann::json scalars;
};

/** Throws Error{Format} naming `file` and the path for two tensors of one name, names that are not
 * UTF-8, keys that are not names, and a tree of more than 64 levels or (as values can be shared) a
 * million nodes. */
TorchTree flatten_torch(const PickleValue& root, std::string_view file);

}  // namespace dino::format
