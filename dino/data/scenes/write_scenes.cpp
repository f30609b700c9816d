#include "dino/data/scenes/write_scenes.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <numeric>
#include <span>
#include <vector>

#include "dino/base/error.h"
#include "dino/base/file.h"
#include "dino/base/json.h"
#include "dino/base/json_lines.h"
#include "dino/base/rng.h"
#include "dino/base/text.h"
#include "dino/data/scenes/scene_files.h"
#include "dino/image/codecs/encode.h"

namespace dino::data {
namespace {

constexpr int kSmallestScene = 16, kLargestScene = 4096, kMostInstances = 255;
constexpr std::uint64_t kPhotographStream = ~std::uint64_t{2};
constexpr std::array kSplits = {SceneSplit::Train, SceneSplit::Test};

void check_scenes(const SceneOptions& options) {
  const ComposeOptions& compose = options.compose;
  if (options.count < 2)
    fail(ErrorKind::Usage, "[scenes] --count must be at least 2: {}", options.count);
  if (compose.size < kSmallestScene || compose.size > kLargestScene)
    fail(ErrorKind::Usage, "[scenes] --size must lie in {}..{} px: {}", kSmallestScene,
         kLargestScene, compose.size);
  const auto [fewest, most] = compose.objects;
  if (fewest < 1 || most < fewest || most > kMostInstances)
    fail(ErrorKind::Usage,
         "[scenes] --objects takes the fewest and the most per scene, 1 to {}: {} {}",
         kMostInstances, fewest, most);
  const auto [low, high] = compose.scale;
  if (!(low > 0 && low <= high && high <= 2))
    fail(ErrorKind::Usage,
         "[scenes] --scale takes the least and the largest side of an object, as a share of the "
         "scene's, above 0 and at most 2: {} {}",
         low, high);
  if (!(compose.turn_degrees >= 0 && compose.turn_degrees <= 180))
    fail(ErrorKind::Usage, "[scenes] --turn must lie in 0..180 degrees: {}", compose.turn_degrees);
}

/** What determines a set, but for the images of its sources. */
nlohmann::json description_of(const SceneOptions& options) {
  const auto path = [](const std::string& text) { return printable(std::string_view(text)); };
  std::vector<std::string> sources;
  for (const std::string& source : options.objects.sources) sources.push_back(path(source));
  return {{"sources", sources},
          {"photographs", path(options.photographs)},
          {"classes", options.objects.classes},
          {"class_depth", options.objects.class_depth},
          {"least_objects", options.objects.least_objects},
          {"test_share", options.objects.test_share},
          {"count", options.count},
          {"size", options.compose.size},
          {"objects", options.compose.objects},
          {"scale", options.compose.scale},
          {"turn_degrees", options.compose.turn_degrees},
          {"seed", options.compose.seed}};
}

void make_folder(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error)
    fail(ErrorKind::Io, "[scenes] cannot make the folder {}: {}", printable(folder),
         error.message());
}

/** Throws unless `files` is free, or holds the same set, begun but not finished. */
void check_free(const SceneFiles& files, const nlohmann::json& options) {
  std::error_code error;
  if (std::filesystem::exists(files.description(), error)) {
    const auto there =
        parse_json_if_valid(read_text_file(files.description())).value_or(nlohmann::json());
    const bool same = there.is_object() && there.value("options", nlohmann::json()) == options;
    if (same && !there.value("complete", true)) return;
    fail(ErrorKind::Usage, "[scenes] {} holds {}; name another folder", printable(files.root),
         same ? "these scenes already" : "other scenes");
  }
  if (!std::filesystem::exists(files.root, error)) return;
  const bool empty = std::filesystem::is_empty(files.root, error);
  if (error) fail(ErrorKind::Io, "[scenes] {}: {}", printable(files.root), error.message());
  if (!empty)
    fail(ErrorKind::Usage, "[scenes] {} holds something else; name a new folder",
         printable(files.root));
}

/** Photographs, some for each split. */
class PhotographSplits {
 public:
  PhotographSplits(const std::string& folder, double test_share, std::uint64_t seed) {
    if (folder.empty()) return;
    images_ = open_dataset(folder, 3);
    Rng rng(seed, kPhotographStream);
    std::vector<std::int64_t> order = random_permutation(images_->size(), rng);
    if (test_share > 0 && order.size() < 2)
      fail(ErrorKind::Data,
           "[scenes] {} holds a single photograph; at least 2 are needed, since none is both in "
           "train and test",
           printable(std::string_view(folder)));
    const auto share = std::llround(test_share * static_cast<double>(order.size()));
    const auto test = test_share > 0 ? std::clamp<std::int64_t>(share, 1, std::ssize(order) - 1)
                                     : std::int64_t{0};
    indices_[1].assign(order.begin(), order.begin() + test);
    indices_[0].assign(order.begin() + test, order.end());
  }
  Photographs of(SceneSplit split) const {
    return {images_.get(), indices_[static_cast<std::size_t>(split)]};
  }

 private:
  std::unique_ptr<Dataset> images_;
  std::array<std::vector<std::int64_t>, 2> indices_;
};

nlohmann::json instances_of(const Scene& scene, const ObjectLibrary& library) {
  auto list = nlohmann::json::array();
  for (const SceneInstance& instance : scene.objects) {
    const SceneObject& object = library.objects[static_cast<std::size_t>(instance.object)];
    list.push_back({{"instance", std::ssize(list) + 1},
                    {"class", object.label},
                    {"object", instance.object},
                    {"center", {instance.pose.center_x, instance.pose.center_y}},
                    {"side", instance.pose.side_px},
                    {"degrees", instance.pose.degrees},
                    {"mirrored", instance.pose.mirrored},
                    {"pixels", instance.pixels},
                    {"visible_pixels", instance.visible_pixels}});
  }
  return list;
}

class SceneWriter {
 public:
  SceneWriter(const SceneOptions& options, const SceneFiles& files, const ObjectLibrary& library,
              const PhotographSplits& photographs, ThreadPool& threads,
              const std::function<void(std::int64_t)>& progress, const std::stop_token& stop)
      : options_(options),
        files_(files),
        library_(library),
        photographs_(photographs),
        threads_(threads),
        progress_(progress),
        stop_(stop) {}

  /** The scenes of a split and the lines about them; false if stopped. */
  bool write_split(SceneSplit split, std::int64_t count, SceneReport& report) {
    for (const auto& folder :
         {files_.images(split), files_.class_maps(split), files_.instance_maps(split)})
      make_folder(folder);
    std::vector<std::string> lines(static_cast<std::size_t>(count));
    threads_.parallel_for(count, [&](std::int64_t number) {
      if (!stop_.stop_requested())
        lines[static_cast<std::size_t>(number)] = write_scene(split, number, report);
    });
    if (stop_.stop_requested()) return false;
    write_file_atomically(files_.instances(split),
                          std::accumulate(lines.begin(), lines.end(), std::string()));
    report.scenes[static_cast<std::size_t>(split)] = count;
    return true;
  }

  /** Each object alone, in a folder of its class; false if stopped. */
  bool write_singles(SceneSplit split) {
    std::vector<std::pair<std::int64_t, std::filesystem::path>> all;
    for (std::size_t c = 0; c < library_.classes.size(); ++c) {
      const auto folder = files_.singles(split) / library_.classes[c];
      const auto& members = library_.of[static_cast<std::size_t>(split)][c];
      if (!members.empty()) make_folder(folder);
      for (const std::int64_t index : members) all.emplace_back(index, folder);
    }
    threads_.parallel_for(std::ssize(all), [&](std::int64_t i) {
      const auto& [index, folder] = all[static_cast<std::size_t>(i)];
      if (!stop_.stop_requested())
        image::write_png(folder / SceneFiles::png(index),
                         draw_single(library_, index, options_.compose.size));
    });
    return !stop_.stop_requested();
  }

 private:
  std::string write_scene(SceneSplit split, std::int64_t number, SceneReport& report) {
    const Scene scene =
        draw_scene(library_, split, number, photographs_.of(split), options_.compose);
    const std::string name = SceneFiles::png(number);
    image::write_png(files_.class_maps(split) / name, scene.classes);
    image::write_png(files_.instance_maps(split) / name, scene.instances);
    image::write_png(files_.images(split) / name, scene.image);
    const std::lock_guard lock(mutex_);
    report.instances += std::ssize(scene.objects);
    report.unreadable_photographs += scene.unreadable_photograph ? 1 : 0;
    if (progress_) progress_(++done_);
    return dump_json({{"image", name},
                      {"background", scene.background},
                      {"instances", instances_of(scene, library_)}}) +
           "\n";
  }

  const SceneOptions& options_;
  const SceneFiles& files_;
  const ObjectLibrary& library_;
  const PhotographSplits& photographs_;
  ThreadPool& threads_;
  const std::function<void(std::int64_t)>& progress_;
  const std::stop_token& stop_;
  std::mutex mutex_;  // guards report and progress while threads draw
  std::int64_t done_ = 0;
};

/** classes.txt, whose first line is the background, and objects.jsonl. */
void write_names(const SceneFiles& files, const ObjectLibrary& library) {
  std::string classes = "background\n", objects;
  for (const std::string& name : library.classes) classes += name + "\n";
  write_file_atomically(files.classes(), classes);
  std::vector<std::string_view> split_of(library.objects.size());
  for (const SceneSplit split : kSplits)
    for (const auto& members : library.of[static_cast<std::size_t>(split)])
      for (const std::int64_t index : members)
        split_of[static_cast<std::size_t>(index)] = SceneFiles::name_of(split);
  for (std::size_t i = 0; i < library.objects.size(); ++i)
    objects += dump_json({{"object", i},
                          {"class", library.objects[i].label},
                          {"split", split_of[i]},
                          {"name", printable(std::string_view(library.objects[i].name))}}) +
               "\n";
  write_file_atomically(files.objects(), objects);
}

ObjectOptions object_options(const SceneOptions& options) {
  ObjectOptions objects = options.objects;
  objects.seed = options.compose.seed;
  const double largest = std::max(options.compose.scale[1], 0.8);  // singles fill 0.8
  objects.most_px = static_cast<int>(std::ceil(largest * options.compose.size));
  return objects;
}

std::array<std::int64_t, 2> scenes_per_split(const SceneOptions& options) {
  const double share = options.objects.test_share;
  std::int64_t test = std::llround(share * static_cast<double>(options.count));
  if (share > 0) test = std::clamp<std::int64_t>(test, 1, options.count - 1);
  return {options.count - test, test};
}

}  // namespace

nlohmann::json counts_of(const SceneReport& report) {
  return {{"train_scenes", report.scenes[0]},
          {"test_scenes", report.scenes[1]},
          {"instances", report.instances},
          {"classes", report.classes},
          {"train_objects", report.objects[0]},
          {"test_objects", report.objects[1]},
          {"images_found", report.found.images},
          {"unreadable_photographs", report.unreadable_photographs}};
}

nlohmann::json left_out(const ObjectCounts& found) {
  return {{"opaque", found.opaque},
          {"small", found.small},
          {"unreadable", found.unreadable},
          {"duplicates", found.duplicates},
          {"without_class", found.without_class},
          {"of_other_classes", found.of_other_classes},
          {"of_small_classes", found.of_small_classes}};
}

SceneReport write_scenes(const SceneOptions& options, const std::filesystem::path& out,
                         ThreadPool& threads, const std::function<void(std::int64_t)>& progress,
                         const std::stop_token& stop) {
  check_scenes(options);
  const SceneFiles files{out};
  nlohmann::json description = {
      {"format", kScenesFormat}, {"complete", false}, {"options", description_of(options)}};
  check_free(files, description["options"]);
  const ObjectLibrary library = load_objects(object_options(options), threads, stop);
  SceneReport report;
  report.found = library.counts;
  report.classes = std::ssize(library.classes);
  if (stop.stop_requested()) return report;
  const PhotographSplits photographs(options.photographs, options.objects.test_share,
                                     options.compose.seed);
  make_folder(out);
  write_json_file(files.description(), description);
  write_names(files, library);
  SceneWriter writer(options, files, library, photographs, threads, progress, stop);
  const auto counts = scenes_per_split(options);
  for (const SceneSplit split : kSplits) {
    const auto side = static_cast<std::size_t>(split);
    if (counts[side] == 0) continue;
    for (const auto& members : library.of[side]) report.objects[side] += std::ssize(members);
    if (!writer.write_split(split, counts[side], report) || !writer.write_singles(split))
      return report;
  }
  description["complete"] = true;
  description["counts"] = counts_of(report);
  description["counts"].update(left_out(report.found));
  write_json_file(files.description(), description);
  report.finished = true;
  return report;
}

}  // namespace dino::data
