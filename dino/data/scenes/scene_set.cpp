#include "dino/data/scenes/scene_set.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "dino/base/error.h"
#include "dino/base/file.h"
#include "dino/base/json.h"
#include "dino/base/text.h"
#include "dino/data/scenes/scene_files.h"
#include "dino/image/codecs/decode.h"

namespace dino::data {
namespace {

/** scenes.json, checked. */
nlohmann::json read_description(const SceneFiles& files) {
  std::error_code ignored;
  if (!std::filesystem::exists(files.description(), ignored))
    fail(
        ErrorKind::Usage,
        "[scenes] {} is no folder of scenes: it has no scenes.json; make one with dino data scenes",
        printable(files.root));
  nlohmann::json description = read_json_file(files.description());
  const auto is = [](const nlohmann::json& object, const char* key, const auto& has_type) {
    return object.is_object() && object.contains(key) && has_type(object[key]);
  };
  const auto number = [](const nlohmann::json& value) { return value.is_number_integer(); };
  if (!is(description, "format", number) ||
      !is(description, "complete", [](const auto& value) { return value.is_boolean(); }) ||
      !is(description, "options", [&](const auto& value) { return is(value, "size", number); }))
    fail(ErrorKind::Format, "[scenes] {} describes no scenes", printable(files.description()));
  if (description["format"] != kScenesFormat)
    fail(ErrorKind::Format, "[scenes] {} has format {}; this program reads {}",
         printable(files.description()), description["format"].dump(), kScenesFormat);
  if (!description["complete"].get<bool>())
    fail(ErrorKind::Data,
         "[scenes] {} is incomplete; the command that began it, given again, completes it",
         printable(files.root));
  return description;
}

std::vector<std::string> read_classes(const SceneFiles& files) {
  std::istringstream text(read_text_file(files.classes()));
  std::vector<std::string> names;
  for (std::string line; std::getline(text, line);) names.push_back(line);
  if (names.size() < 2 || names.size() > 256)
    fail(ErrorKind::Format, "[scenes] {} names {} classes; 2 to 256 are possible",
         printable(files.classes()), names.size());
  return names;
}

}  // namespace

SceneSet::SceneSet(const std::filesystem::path& folder, SceneSplit split)
    : folder_(folder), split_(split) {
  const SceneFiles files{folder_};
  const nlohmann::json description = read_description(files);
  side_px_ = description["options"]["size"].get<int>();
  classes_ = read_classes(files);
  std::error_code ignored;
  if (!std::filesystem::exists(files.images(split), ignored))
    fail(ErrorKind::Data, "[scenes] {} has no {} scenes; make it with another --test-share",
         printable(folder_), SceneFiles::name_of(split));
  images_ = open_dataset(files.images(split).native(), 3);
}

image::Image SceneSet::class_map(std::int64_t index) const {
  const auto folder = SceneFiles{folder_}.class_maps(split_);
  image::Image labels = map(folder, index);
  if (const auto most = *std::ranges::max_element(labels.pixels); most >= classes_.size())
    fail(ErrorKind::Format, "[scenes] class {} in {}, image {}, has no name in classes.txt", most,
         printable(folder), index);
  return labels;
}

image::Image SceneSet::instance_map(std::int64_t index) const {
  return map(SceneFiles{folder_}.instance_maps(split_), index);
}

image::Image SceneSet::map(const std::filesystem::path& folder, std::int64_t index) const {
  const std::filesystem::path name = std::filesystem::path(images_->name(index)).filename();
  image::Image values = image::decode_file(folder / name, 0);
  if (values.channels != 1 || values.width != side_px_ || values.height != side_px_)
    fail(ErrorKind::Format, "[scenes] {} has {} x {} px and {} channels; a map has {} x {} and one",
         printable(folder / name), values.width, values.height, values.channels, side_px_,
         side_px_);
  return values;
}

}  // namespace dino::data
