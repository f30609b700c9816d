// Reads a folder that write_scenes.h made: images with a class and an instance for every pixel.
#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "dino/data/scenes/object_library.h"
#include "dino/data/sources/dataset.h"
#include "dino/image/image.h"

namespace dino::data {

/** One split of a set of scenes. Immutable and thread-safe. */
class SceneSet {
 public:
  /** Opens `folder`, which holds scenes.json. Throws Error{Usage} if it does not, Error{Data} if
   * the set is incomplete or has no such split, Error{Format} if its files disagree. */
  SceneSet(const std::filesystem::path& folder, SceneSplit split);

  std::int64_t size() const { return images_->size(); }
  /** The names of classes by their number in the maps; the first is "background". */
  const std::vector<std::string>& class_names() const { return classes_; }
  int side_px() const { return side_px_; }
  /** The images, in the order of the maps. */
  const Dataset& images() const { return *images_; }
  /** The class of every px of scene `index`. Throws Error{Io|Format} naming the file if it cannot
   * be read, has another size than the scenes, or a class without a name. */
  image::Image class_map(std::int64_t index) const;
  /** The instance of every px: later ones are nearer; 0 = background. Throws as class_map(). */
  image::Image instance_map(std::int64_t index) const;

 private:
  image::Image map(const std::filesystem::path& folder, std::int64_t index) const;

  std::filesystem::path folder_;
  SceneSplit split_;
  int side_px_ = 0;
  std::vector<std::string> classes_;
  std::unique_ptr<Dataset> images_;
};

}  // namespace dino::data
