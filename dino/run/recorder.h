// Everything that a training writes into its run directory while it runs. Of several ranks one
// writes, and this is the only place that asks which: on the others every call does nothing.
#pragma once
#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "dino/base/log.h"
#include "dino/base/metric.h"
#include "dino/run/append_file.h"
#include "dino/run/bad_file_list.h"
#include "dino/run/checkpoint_store.h"
#include "dino/run/run_dir.h"
#include "dino/run/tensorboard.h"

namespace dino::run {

/** Not thread-safe. Everything throws Error{Io}. */
class Recorder {
 public:
  /** Goes on with a run of which `iteration` steps are done: lines of metrics.jsonl beyond them are
   * dropped. Borrows the directory. */
  Recorder(const RunDir& run, std::int64_t iteration, int keep_last, const LogSink& log);

  const RunLayout& layout() const { return run_.layout(); }

  /** recipe.toml, one more entry of env.json, and figures.json. */
  void begin_session(const std::string& recipe, const nlohmann::json& session,
                     std::span<const Metric> metrics);
  /** One line of metrics.jsonl, and its numbers as TensorBoard scalars. */
  void append_metrics(std::int64_t iteration, const nlohmann::json& line);
  void add_bad_files(std::span<const data::BadFile> files);
  /** Images in bad_files.jsonl, and BadFileList::summary(). */
  std::int64_t bad_count() const { return files_ ? files_->bad.count() : 0; }
  std::string bad_summary() const { return files_ ? files_->bad.summary() : ""; }
  void save_checkpoint(const CheckpointInfo& info, std::span<const format::TensorRecord> tensors);
  /** Calls write(path) for a file of the run that somebody else knows how to write; {} = nobody. */
  void save_by(const std::function<void(const std::filesystem::path&)>& write,
               const std::filesystem::path& path);
  void save_summary(const nlohmann::json& summary);

 private:
  /** What is open on the rank that writes. */
  struct Files {
    CheckpointStore checkpoints;
    AppendFile metrics;
    BadFileList bad;
    EventWriter events;
  };

  const RunDir& run_;
  std::optional<Files> files_;
};

}  // namespace dino::run
