// The object of a torch.save file taken apart: its tensors under their paths, everything else as
// JSON.
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
  /** What is not a tensor, with the file's nesting; containers of nothing but tensors are left out,
   * a tensor within a list is null. */
  nlohmann::json scalars;
};

/** Throws Error{Format} that names `file` and the path: for two tensors of one name, names that are
 * not UTF-8, keys that cannot be named, a tree deeper than 64 levels or (as values can be shared)
 * of more than a million nodes. */
TorchTree flatten_torch(const PickleValue& root, std::string_view file);

}  // namespace dino::format
