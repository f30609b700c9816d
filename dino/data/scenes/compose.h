// Draws scenes: some objects, one in front of the other, before a background. Everything is drawn
// from the scene's own random streams, so a scene depends on seed, split and number alone.
#pragma once
#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "dino/data/scenes/background.h"
#include "dino/data/scenes/object_library.h"

namespace dino::data {

/** How scenes are drawn. */
struct ComposeOptions {
  int size = 128;                            ///< px, both sides
  std::array<int, 2> objects = {2, 6};       ///< fewest and most per scene, 1 to 255
  std::array<double, 2> scale = {0.2, 0.6};  ///< long side of an object, relative to the scene's
  double turn_degrees = 30;  ///< objects are turned by up to this to either side, 0 to 180
  std::uint64_t seed = 0;
};

/** An object of a scene, as far as it lies within. */
struct SceneInstance {
  std::int64_t object = 0;  ///< in the library
  Pose pose;
  std::int64_t pixels = 0;          ///< solid px, hidden ones included
  std::int64_t visible_pixels = 0;  ///< of these, not hidden by nearer objects
};

struct Scene {
  image::Image image;      ///< RGB
  image::Image classes;    ///< per px the class of the nearest solid object; 0 = background
  image::Image instances;  ///< per px 1 + its index in `objects`; 0 = background
  std::vector<SceneInstance> objects;  ///< from the farthest to the nearest
  std::string_view background;         ///< see Background::kind
  bool unreadable_photograph = false;
};

/** At least this share of every object's px within the scene stays visible. */
inline constexpr double kLeastVisible = 0.25;

/** Lays one object before what the scene shows, or does nothing and returns false if it would
 * cover an earlier one too far or has hardly any px in the scene itself. */
bool add_object(Scene& scene, const SceneObject& object, std::int64_t index, const Pose& where);

/** Scene `number` of a split. Classes are equally likely, as are the objects of a class; poses that
 * hide others are drawn again, some times, so that a crowded scene may have fewer objects than
 * options.objects asks for. Thread-safe. */
Scene draw_scene(const ObjectLibrary& library, SceneSplit split, std::int64_t number,
                 const Photographs& photographs, const ComposeOptions& options);

/** Object `index` alone, in the middle of a gray square, its long side 0.8 of it. */
image::Image draw_single(const ObjectLibrary& library, std::int64_t index, int side_px);

}  // namespace dino::data
