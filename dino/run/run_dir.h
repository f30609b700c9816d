// The directory of one training run: its layout, and the lock that keeps two trainings out of it.
//   recipe.toml (resolved)  env.json  metrics.jsonl  events.* (TensorBoard)  bad_files.jsonl
//   figures.json (what metrics.jsonl means)  summary.json  report.html
//   checkpoints/step_XXXXXXXX.safetensors
//   weights/backbone_teacher.safetensors
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <utility>

#include "dino/base/file_lock.h"

namespace dino::run {

/** Where things lie in a run. */
struct RunLayout {
  std::filesystem::path root;
  std::filesystem::path recipe() const { return root / "recipe.toml"; }
  std::filesystem::path env() const { return root / "env.json"; }
  std::filesystem::path metrics() const { return root / "metrics.jsonl"; }
  std::filesystem::path bad_files() const { return root / "bad_files.jsonl"; }
  std::filesystem::path figures() const { return root / "figures.json"; }
  std::filesystem::path summary() const { return root / "summary.json"; }
  std::filesystem::path report() const { return root / "report.html"; }
  std::filesystem::path checkpoints() const { return root / "checkpoints"; }
  std::filesystem::path weights() const { return root / "weights"; }
  std::filesystem::path teacher_weights() const {
    return weights() / "backbone_teacher.safetensors";
  }
  std::filesystem::path best_weights() const {
    return weights() / "backbone_teacher_best.safetensors";
  }
  /** Whether a training was begun here. */
  bool holds_run() const;
  /** Whether it got anywhere: a run that failed in its first step holds nothing worth keeping. */
  bool holds_progress() const;
};

/** A claimed run directory: while it lives, no other training can claim it. The lock goes with the
 * process, however it ends. Of several ranks one claims and writes, the others join. */
class RunDir {
 public:
  /** A new run in `root`, made if missing. Throws Error{Usage} if a run that got anywhere, or
   * anything else, is there already (with `force`, the files of an earlier run are removed, nothing
   * else), if another process uses it; Error{Io} if it cannot be made. */
  static RunDir create(const std::filesystem::path& root, bool force);
  /** An existing run. Throws Error{Usage} if there is none or another process uses it. */
  static RunDir open(const std::filesystem::path& root);
  /** The run that another rank of the same training has claimed: not to be written to. */
  static RunDir join(const std::filesystem::path& root);
  /** The checks of create() without touching anything, to fail before long preparations. */
  static void check_free(const std::filesystem::path& root, bool force);

  const RunLayout& layout() const { return layout_; }
  /** Whether this process writes what the run leaves; see Recorder. */
  bool is_writer() const { return lock_.has_value(); }

 private:
  RunDir(const std::filesystem::path& root, std::optional<FileLock> lock)
      : layout_{root}, lock_(std::move(lock)) {}
  static RunDir claim(const std::filesystem::path& root);

  RunLayout layout_;
  std::optional<FileLock> lock_;
};

/** Drops from metrics.jsonl what a resumed run will write again: lines beyond `iteration`, and a
 * last line that was cut off. */
void truncate_metrics(const std::filesystem::path& path, std::int64_t iteration);

}  // namespace dino::run
