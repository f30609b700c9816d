// A backbone's weights with all that is needed to use them: architecture and preprocessing travel
// in the file.
#pragma once
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "dino/model/backbone.h"
#include "dino/recipe/recipe.h"

namespace dino::model {

/** Named weights of a network's backbone, and files of them for use. `preprocessing` travels in the
 * metadata. */
struct WeightsInfo {
  recipe::Backbone backbone;
  int channels = 3;
  int image_size = 224;  ///< px, of training's global crops
  std::vector<double> mean, std;
};
/** Writes backbone weights as safetensors whose metadata holds WeightsInfo (JSON under "dino").
 * Atomic. */
void save_backbone(const std::string& path, const Backbone& backbone, const WeightsInfo& info);
/** Reads such a file (or the newest weights of a run directory). Throws Error{Io|Format}. */
std::pair<std::shared_ptr<Backbone>, WeightsInfo> load_backbone(const std::string& path);

}  // namespace dino::model
