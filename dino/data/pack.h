// Rewrites a data set for fast repeated reading: images are shrunk to a given size and stored as
// JPEG or uncompressed in tar shards.
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
  int size = 256;    ///< px of the short side; smaller images keep their size; 0 = all do
  int quality = 90;  ///< JPEG quality, 1..100
  /// The range with which the data set is read; recorded, so that packs of different ranges are not
  /// mixed
  std::optional<image::ValueRange> value_range = std::nullopt;
  bool raw = false;                  ///< store uncompressed PNM: lossless and fast to read
  std::int64_t shard_images = 4096;  ///< images per shard
};

struct PackReport {
  std::int64_t images = 0;  ///< written in this run or an interrupted earlier one
  std::int64_t reused = 0;  ///< of these, written by the earlier run
  std::int64_t shards = 0;
  std::uint64_t bytes = 0;       ///< size of all shards
  double seconds = 0;            ///< duration of this run
  double load_seconds = 0;       ///< reading and decoding the source, summed over threads
  std::vector<std::string> bad;  ///< name and reason of each image skipped in this run
  bool finished = false;         ///< false if it was stopped
};

/** Writes OUT/shard-000000.tar and so on, with members KEY.jpg (raw: .ppm, .pgm) and, if there are
 * labels, KEY.cls with the class name. KEY is the image's number, so the pack keeps the order of
 * the source. Shards are written atomically, and a repeated call resumes after the last one;
 * OUT/pack.json records `source` and the options, and other ones are refused. Bad images are
 * skipped. Throws Error{Usage} on options out of range or an OUT that is something else, Error{Io}
 * if it cannot be written. */
PackReport pack(const Dataset& dataset, const std::string& source, const std::filesystem::path& out,
                const PackOptions& options, ThreadPool& threads,
                const std::function<void(std::int64_t)>& progress, const std::stop_token& stop);

/** The brace pattern of the shards for recipes: "OUT/shard-{000000..000012}.tar". */
std::string shard_pattern(const std::filesystem::path& out, std::int64_t shards);

}  // namespace dino::data
