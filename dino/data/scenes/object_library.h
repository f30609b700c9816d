// The objects that scenes are composed of, by class and by side of the split.
#pragma once
#include <array>
#include <cstdint>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "dino/base/thread_pool.h"
#include "dino/data/scenes/cutout.h"

namespace dino::data {

/** Which images become objects, and of which class. */
struct ObjectOptions {
  std::vector<std::string> sources;  ///< folders of images with transparency
  int class_depth = 1;               ///< the first so many folders below a source name the class
  std::vector<std::string> classes = {};  ///< only these; empty = all
  std::int64_t least_objects = 4;         ///< classes with fewer are left out; at least 2
  double test_share = 0.2;  ///< of each class's objects, in [0, 1); above 0, at least one
  int most_px = 96;         ///< larger cutouts are shrunk to this long side
  std::uint64_t seed = 0;   ///< of the split
};

/** No object is on both sides. */
enum class SceneSplit { Train, Test };
inline constexpr std::array<std::string_view, 2> kSplitNames = {"train", "test"};

struct SceneObject {
  Cutout cutout;
  std::int64_t label = 0;  ///< from 1, as in class maps
  std::string name;        ///< its path below its source
};

/** What became of the images found. */
struct ObjectCounts {
  std::int64_t images = 0;                    ///< found
  std::int64_t unreadable = 0;                ///< damaged, too large, or no right to read them
  std::vector<std::string> first_unreadable;  ///< "path: reason" of the first few
  std::int64_t opaque = 0, small = 0;         ///< see NoCutout
  std::int64_t duplicates = 0;                ///< equal to an earlier one
  std::int64_t without_class = 0;             ///< directly in a source
  std::int64_t of_other_classes = 0;          ///< of classes not asked for
  std::int64_t of_small_classes = 0;          ///< of classes with fewer than least_objects
};

struct ObjectLibrary {
  std::vector<SceneObject> objects;
  std::vector<std::string> classes;  ///< sorted; class i has label i + 1, since 0 is background
  /// [split][class]: its objects, by index
  std::array<std::vector<std::vector<std::int64_t>>, 2> of;
  ObjectCounts counts;
};

/** Reads all images below the sources on the pool's threads; the result does not depend on their
 * number. A picture that occurs several times is one object, that of the first path. Names of
 * folders are joined by '-' where class_depth is above 1. Throws Error{Usage} on options out of
 * range and classes that do not exist, Error{Data} if no class is left or there are above 255,
 * Error{Io} if a source cannot be opened. Ends early, with fewer objects, if `stop` is requested.
 */
ObjectLibrary load_objects(const ObjectOptions& options, ThreadPool& threads,
                           const std::stop_token& stop = {});

}  // namespace dino::data
