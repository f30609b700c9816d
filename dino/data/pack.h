// A data set rewritten once so that reading it again and again is cheap: images shrunk to a stated
// size, as JPEG or raw, in tar shards.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "dino/base/thread_pool.h"
#include "dino/data/sources/dataset.h"

namespace dino::data {

struct PackOptions {
  int size = 256;    ///< px of the short side; images that are smaller stay as they are, 0 = all do
  int quality = 90;  ///< of the JPEGs, 1..100
  /// That the data set is read with: a pack of another range is another pack
  std::optional<image::ValueRange> value_range = std::nullopt;
  bool raw = false;  ///< uncompressed (PNM) instead: nothing is lost, reading costs next to nothing
  std::int64_t shard_images = 4096;  ///< images per shard
};

struct PackReport {
  std::int64_t images = 0;  ///< written, in this run or an interrupted one before
  std::int64_t reused = 0;  ///< of these, found complete
  std::int64_t shards = 0;
  std::uint64_t bytes = 0;       ///< of all shards
  double seconds = 0;            ///< of this run
  double load_seconds = 0;       ///< reading and decoding the source, summed over threads
  std::vector<std::string> bad;  ///< name and reason of each image left out in this run
  bool finished = false;         ///< false: stopped in between
};

/** Writes OUT/shard-000000.tar and so on: members KEY.jpg (raw: .ppm, .pgm) and, with labels,
 * KEY.cls with the name of the class. KEY is the image's number, so that the pack has the order of
 * the source. A shard appears when it is complete; the same call goes on where it was stopped,
 * which OUT/pack.json makes sure of: other images or options there are refused. `source` names the
 * data set in it. Bad images are left out. Throws Error{Usage} on options out of range or an OUT
 * that is something else, Error{Io} where it cannot be written. */
PackReport pack(const Dataset& dataset, const std::string& source, const std::filesystem::path& out,
                const PackOptions& options, ThreadPool& threads,
                const std::function<void(std::int64_t)>& progress, const std::stop_token& stop);

/** "OUT/shard-{000000..000012}.tar", as a recipe names it. */
std::string shard_pattern(const std::filesystem::path& out, std::int64_t shards);

}  // namespace dino::data
