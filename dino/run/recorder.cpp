#include "dino/run/recorder.h"

#include <chrono>

#include "dino/base/error.h"
#include "dino/base/file.h"
#include "dino/base/json.h"
#include "dino/base/json_lines.h"
#include "dino/run/metric_table.h"

namespace dino::run {
namespace {

double wall_time() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

/** env.json lists the sessions of a run, so that a resumed run shows where each part was computed.
 */
void append_session(const std::filesystem::path& path, const nlohmann::json& session) {
  nlohmann::json env = {{"sessions", nlohmann::json::array()}};
  if (std::filesystem::exists(path)) {
    const auto earlier = parse_json_if_valid(read_text_file(path));
    if (earlier && earlier->is_object() && earlier->contains("sessions") &&
        earlier->at("sessions").is_array())
      env = *earlier;
  }
  env["sessions"].push_back(session);
  write_json_file(path, env);
}

/** A metrics line as TensorBoard scalars: every number but the axis. */
Scalars scalars_of(const nlohmann::json& line) {
  Scalars scalars;
  for (const auto& [name, value] : line.items())
    if (value.is_number() && name != "iteration")
      scalars.emplace_back("train/" + name, value.get<double>());
  return scalars;
}

}  // namespace

Recorder::Recorder(const RunDir& run, std::int64_t iteration, int keep_last, const LogSink& log)
    : run_(run) {
  if (!run.is_writer()) return;
  truncate_metrics(layout().metrics(), iteration);
  files_.emplace(Files{CheckpointStore(layout().checkpoints(), keep_last, log),
                       AppendFile(layout().metrics()), BadFileList(layout().bad_files()),
                       EventWriter(layout().root, wall_time(), iteration)});
}

void Recorder::begin_session(const std::string& recipe, const nlohmann::json& session,
                             std::span<const Metric> metrics) {
  if (!files_) return;
  write_file_atomically(layout().recipe(), recipe);
  append_session(layout().env(), session);
  write_json_file(layout().figures(), metrics_to_json(metrics));
}

void Recorder::append_metrics(std::int64_t iteration, const nlohmann::json& line) {
  if (!files_) return;
  files_->metrics.append(line.dump() + "\n");
  files_->events.write(wall_time(), iteration, scalars_of(line));
}

void Recorder::add_bad_files(std::span<const data::BadFile> files) {
  if (files_ && !files.empty()) files_->bad.add(files);
}

void Recorder::save_checkpoint(const CheckpointInfo& info,
                               std::span<const format::TensorRecord> tensors) {
  if (files_) files_->checkpoints.save(info, tensors);
}

void Recorder::save_by(const std::function<void(const std::filesystem::path&)>& write,
                       const std::filesystem::path& path) {
  if (files_ && write) write(path);
}

void Recorder::save_summary(const nlohmann::json& summary) {
  if (files_) write_json_file(layout().summary(), summary);
}

}  // namespace dino::run
