// Composes a data set of scenes and writes it as a folder that scene_set.h reads; docs/formats.md
// describes it.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <stop_token>
#include <string>

#include "dino/base/thread_pool.h"
#include "dino/data/scenes/compose.h"
#include "dino/data/scenes/object_library.h"

namespace dino::data {

struct SceneOptions {
  std::int64_t count = 2000;  ///< scenes, of both splits
  ComposeOptions compose;
  ObjectOptions objects;    ///< test_share is also that of the scenes; most_px and seed are set
  std::string photographs;  ///< folder of backgrounds; empty = all are drawn
};

struct SceneReport {
  std::array<std::int64_t, 2> scenes{};   ///< [split] written
  std::array<std::int64_t, 2> objects{};  ///< [split] in the library
  std::int64_t instances = 0;             ///< objects in all scenes
  std::int64_t classes = 0;
  ObjectCounts found;
  std::int64_t unreadable_photographs = 0;  ///< times that one was drawn
  bool finished = false;                    ///< false if it was stopped
};

/** What was written and found, as scenes.json and the command say it. */
nlohmann::json counts_of(const SceneReport& report);
/** The images that gave no object, by reason. */
nlohmann::json left_out(const ObjectCounts& found);

/** Writes OUT. Equal options and sources give equal bytes, whatever the number of threads. Each
 * file is written atomically; scenes.json says at first that the set is incomplete, and is written
 * again at the end. The same call takes up an incomplete OUT from the beginning; any other OUT that
 * is not empty is refused. `progress` is given the number of scenes done, on any thread, one call
 * at a time. Throws Error{Usage} on options out of range and a refused OUT, Error{Io} if it cannot
 * be written, and the errors of load_objects() and open_dataset(). */
SceneReport write_scenes(const SceneOptions& options, const std::filesystem::path& out,
                         ThreadPool& threads, const std::function<void(std::int64_t)>& progress,
                         const std::stop_token& stop);

}  // namespace dino::data
