#include "dino/data/scenes/compose.h"

#include <algorithm>
#include <cmath>

#include "dino/base/rng.h"

namespace dino::data {
namespace {

constexpr int kTriesPerObject = 8;
constexpr std::int64_t kLeastPixels = 16;
constexpr double kMostEnlarged = 2;  // more would be blurred more than any neighbor
constexpr double kSingleSide = 0.8;
constexpr std::uint8_t kSingleGround = 128;

enum Stream : std::uint64_t { kObjects, kBackground };

Scene empty_scene(image::Image background) {
  Scene scene;
  scene.classes = image::Image(background.width, background.height, 1);
  scene.instances = scene.classes;
  scene.image = std::move(background);
  return scene;
}

template <typename Visit>
void for_each_solid(const Layer& layer, const Visit& visit) {
  for (int y = 0; y < layer.planes.height; ++y)
    for (int x = 0; x < layer.planes.width; ++x)
      if (layer.is_solid(x, y)) visit(layer.left + x, layer.top + y);
}

void blend(const Layer& layer, image::Image& image) {
  for (int y = 0; y < layer.planes.height; ++y) {
    std::uint8_t* out = image.row(layer.top + y) + 3 * layer.left;
    for (int x = 0; x < layer.planes.width; ++x)
      for (int c = 0; c < 3; ++c, ++out) {
        const float under = static_cast<float>(*out) * (1 - layer.planes.row(3, y)[x]);
        const float level = 255 * layer.planes.row(c, y)[x] + under;
        *out = static_cast<std::uint8_t>(std::lround(std::clamp(level, 0.F, 255.F)));
      }
  }
}

Pose draw_pose(const Cutout& cutout, const ComposeOptions& options, Rng& rng) {
  Pose pose;
  const double side = options.size * rng.uniform(options.scale[0], options.scale[1]);
  pose.side_px = std::min(side, kMostEnlarged * std::max(cutout.width, cutout.height));
  pose.center_x = rng.uniform(0.1, 0.9) * options.size;
  pose.center_y = rng.uniform(0.1, 0.9) * options.size;
  pose.degrees = rng.uniform(-options.turn_degrees, options.turn_degrees);
  pose.mirrored = rng.bernoulli(0.5);
  return pose;
}

}  // namespace

bool add_object(Scene& scene, const SceneObject& object, std::int64_t index, const Pose& where) {
  const Layer layer = pose(object.cutout, where, scene.image.width);
  SceneInstance added{index, where};
  std::vector<std::int64_t> hidden(scene.objects.size() + 1);
  for_each_solid(layer, [&](int x, int y) {
    ++added.pixels;
    ++hidden[scene.instances.row(y)[x]];
  });
  if (added.pixels < kLeastPixels) return false;
  for (std::size_t i = 0; i < scene.objects.size(); ++i) {
    const SceneInstance& other = scene.objects[i];
    if (static_cast<double>(other.visible_pixels - hidden[i + 1]) <
        kLeastVisible * static_cast<double>(other.pixels))
      return false;
  }
  for (std::size_t i = 0; i < scene.objects.size(); ++i)
    scene.objects[i].visible_pixels -= hidden[i + 1];
  added.visible_pixels = added.pixels;
  scene.objects.push_back(added);
  blend(layer, scene.image);
  for_each_solid(layer, [&](int x, int y) {
    scene.classes.row(y)[x] = static_cast<std::uint8_t>(object.label);
    scene.instances.row(y)[x] = static_cast<std::uint8_t>(scene.objects.size());
  });
  return true;
}

Scene draw_scene(const ObjectLibrary& library, SceneSplit split, std::int64_t number,
                 const Photographs& photographs, const ComposeOptions& options) {
  const auto side = static_cast<std::size_t>(split);
  const auto stream = [&](Stream view) {
    return Rng(options.seed, side, static_cast<std::uint64_t>(number), view);
  };
  Rng behind = stream(kBackground), rng = stream(kObjects);
  Background background = draw_background(options.size, photographs, behind);
  Scene scene = empty_scene(std::move(background.image));
  scene.background = background.kind;
  scene.unreadable_photograph = background.unreadable;
  const auto [fewest, most] = options.objects;
  const auto wanted =
      static_cast<std::uint64_t>(fewest) + rng.below(static_cast<std::uint64_t>(most - fewest) + 1);
  for (std::uint64_t i = 0; i < wanted; ++i)
    for (int attempt = 0; attempt < kTriesPerObject; ++attempt) {
      const auto& members = library.of[side][rng.below(library.classes.size())];
      const std::int64_t index = members[rng.below(members.size())];
      const SceneObject& object = library.objects[static_cast<std::size_t>(index)];
      if (add_object(scene, object, index, draw_pose(object.cutout, options, rng))) break;
    }
  return scene;
}

image::Image draw_single(const ObjectLibrary& library, std::int64_t index, int side_px) {
  image::Image image(side_px, side_px, 3);
  std::ranges::fill(image.pixels, kSingleGround);
  const Cutout& cutout = library.objects[static_cast<std::size_t>(index)].cutout;
  const double middle = 0.5 * side_px;
  const double side =
      std::min(kSingleSide * side_px, kMostEnlarged * std::max(cutout.width, cutout.height));
  blend(pose(cutout, {.center_x = middle, .center_y = middle, .side_px = side}, side_px), image);
  return image;
}

}  // namespace dino::data
