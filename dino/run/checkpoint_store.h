// Checkpoints of a run: everything needed to continue as if it had never stopped, one safetensors
// file per checkpoint.
#pragma once
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dino/base/log.h"
#include "dino/format/safetensors.h"

namespace dino::run {

/** What a checkpoint says beside its tensors. The data position and every schedule follow from
 * `iteration`. */
struct CheckpointInfo {
  std::int64_t iteration = 0;  ///< steps done; the next step has this index
  std::int64_t iterations_per_epoch = 0;
  std::string recipe;                ///< resolved, TOML
  std::string network;               ///< of the backbone, as arch::to_json(): for dino/weights
  std::string precision;             ///< "fp32" or "bf16"
  int threads = 0;                   ///< bitwise equal continuation needs the same number
  double best_knn = -1;              ///< best in-training k-NN figure in [0, 1]; below 0 = none yet
  std::int64_t best_iteration = -1;  ///< where it was reached
  double last_knn = -1;              ///< the newest figure
  std::int64_t knn_iteration = -1;   ///< where that was measured
  double train_seconds = 0;          ///< in steps, without evaluation and saving
  double total_seconds = 0;          ///< of all sessions
  std::int64_t images = 0;           ///< trained on
  std::int64_t bad_images = 0;
  std::int64_t skipped_steps = 0;  ///< not finite
  bool well = false;               ///< no figure of the last steps says that the run collapses
  std::string remedy;  ///< what a collapse has changed in the recipe; empty = there was none
  nlohmann::json metrics_window =
      nlohmann::json::object();  ///< sums since the last line of metrics.jsonl
};

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(CheckpointInfo, iteration, iterations_per_epoch,
                                                recipe, network, precision, threads, best_knn,
                                                best_iteration, last_knn, knn_iteration,
                                                train_seconds, total_seconds, images, bad_images,
                                                skipped_steps, well, remedy, metrics_window)

/** An open checkpoint; the tensors of `file` live as long as it does. */
struct Checkpoint {
  std::filesystem::path path;
  CheckpointInfo info;
  format::SafetensorsFile file;
};

/** Opens one file. Throws Error{Io} if it is missing, Error{Format} if it is truncated or no
 * checkpoint. */
Checkpoint open_checkpoint(const std::filesystem::path& path);

/** The checkpoints of one run, in `folder`. Thread-compatible. */
class CheckpointStore {
 public:
  CheckpointStore(std::filesystem::path folder, int keep_last, LogSink log = {});

  /** Writes `step_<iteration>.safetensors` atomically, then removes those before it but for the
   * keep_last - 1 newest and the best. Throws Error{Io} and leaves the older ones as they are when
   * the disk is full. */
  void save(const CheckpointInfo& info, std::span<const format::TensorRecord> tensors);

  /** The newest readable one; a damaged one is passed over with a warning. nullopt if there are
   * none; throws Error{Format} if all are damaged. */
  std::optional<Checkpoint> newest() const;
  /** The newest readable one at which all was well; nullopt if there is none. */
  std::optional<Checkpoint> newest_well() const;

  /** Renames what lies beyond `iteration`, where a run goes on from: files that newest() or
   * newest_well() passed over. They would be taken for its future. `why` ends their names:
   * "damaged", "collapsed". */
  void set_aside_after(std::int64_t iteration, std::string_view why) const;

  /** Paths by iteration, oldest first, unopened. */
  std::vector<std::filesystem::path> list() const;

 private:
  void prune(const CheckpointInfo& newest) const;

  std::filesystem::path folder_;
  int keep_last_;
  LogSink log_;
};

}  // namespace dino::run
