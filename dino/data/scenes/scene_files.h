// Where the files of a folder of scenes are. Private to dino/data/scenes.
#pragma once
#include <fmt/format.h>

#include <cstdint>
#include <filesystem>

#include "dino/data/scenes/object_library.h"

namespace dino::data {

/** The version of the layout, in scenes.json. */
inline constexpr int kScenesFormat = 1;

/** Paths below the folder `root` of a set of scenes. */
struct SceneFiles {
  std::filesystem::path root;

  static std::string_view name_of(SceneSplit split) {
    return kSplitNames[static_cast<std::size_t>(split)];
  }
  static std::string png(std::int64_t number) { return fmt::format("{:06d}.png", number); }

  std::filesystem::path description() const { return root / "scenes.json"; }
  std::filesystem::path classes() const { return root / "classes.txt"; }
  std::filesystem::path objects() const { return root / "objects.jsonl"; }
  std::filesystem::path images(SceneSplit split) const { return root / name_of(split) / "images"; }
  std::filesystem::path class_maps(SceneSplit split) const {
    return root / name_of(split) / "maps" / "classes";
  }
  std::filesystem::path instance_maps(SceneSplit split) const {
    return root / name_of(split) / "maps" / "instances";
  }
  std::filesystem::path instances(SceneSplit split) const {
    return root / name_of(split) / "instances.jsonl";
  }
  std::filesystem::path singles(SceneSplit split) const { return root / "single" / name_of(split); }
};

}  // namespace dino::data
