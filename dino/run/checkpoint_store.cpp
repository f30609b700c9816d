#include "dino/run/checkpoint_store.h"

#include <algorithm>
#include <charconv>

#include "dino/base/error.h"
#include "dino/base/json.h"
#include "dino/base/text.h"

namespace dino::run {
namespace {

constexpr std::string_view kMetadataKey = "dino_checkpoint";
constexpr std::string_view kPrefix = "step_", kSuffix = ".safetensors";

std::string file_name(std::int64_t iteration) {
  return fmt::format("{}{:08}{}", kPrefix, iteration, kSuffix);
}

/** The iteration in a checkpoint's file name; nullopt for other files. */
std::optional<std::int64_t> iteration_of(const std::filesystem::path& path) {
  const std::string name = path.filename().string();
  if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix)) return std::nullopt;
  const char* first = name.data() + kPrefix.size();
  const char* last = name.data() + name.size() - kSuffix.size();
  std::int64_t iteration = 0;
  const auto [end, error] = std::from_chars(first, last, iteration);
  if (error != std::errc{} || end != last) return std::nullopt;
  return iteration;
}

}  // namespace

Checkpoint open_checkpoint(const std::filesystem::path& path) {
  format::SafetensorsFile file(path);
  const auto found = file.metadata().find(std::string(kMetadataKey));
  if (found == file.metadata().end())
    fail(ErrorKind::Format,
         "[checkpoint] {} is not a training checkpoint: its metadata has no '{}'", path.string(),
         kMetadataKey);
  try {
    const auto info = parse_json(found->second, "checkpoint", path.native()).get<CheckpointInfo>();
    return {path, info, std::move(file)};
  } catch (const nlohmann::json::exception& error) {
    fail(ErrorKind::Format, "[checkpoint] {}: metadata does not parse: {}", path.string(),
         error.what());
  }
}

CheckpointStore::CheckpointStore(std::filesystem::path folder, int keep_last, LogSink log)
    : folder_(std::move(folder)), keep_last_(std::max(keep_last, 1)), log_(std::move(log)) {}

void CheckpointStore::save(const CheckpointInfo& info,
                           std::span<const format::TensorRecord> tensors) {
  const nlohmann::json document = info;
  format::write_safetensors(folder_ / file_name(info.iteration), tensors,
                            {{std::string(kMetadataKey), dump_json(document)}});
  prune(info);
}

std::optional<Checkpoint> CheckpointStore::newest() const {
  std::vector<std::filesystem::path> paths = list();
  std::ranges::reverse(paths);
  std::string reason;
  for (const auto& path : paths) {
    try {
      return open_checkpoint(path);
    } catch (const Error& error) {
      reason = error.what();
      log(log_, LogLevel::Warning,
          fmt::format("checkpoint {} is damaged, trying the one before it ({})", path.string(),
                      reason));
    }
  }
  if (!paths.empty())
    fail(ErrorKind::Format,
         "[checkpoint] none of the {} checkpoints in {} can be read; the oldest: {}", paths.size(),
         printable(folder_), reason);
  return std::nullopt;
}

std::optional<Checkpoint> CheckpointStore::newest_well() const {
  std::vector<std::filesystem::path> paths = list();
  std::ranges::reverse(paths);
  for (const auto& path : paths) {
    try {
      Checkpoint checkpoint = open_checkpoint(path);
      if (checkpoint.info.well) return checkpoint;
    } catch (const Error&) {  // damaged: there may be an older one
    }
  }
  return std::nullopt;
}

void CheckpointStore::set_aside_after(std::int64_t iteration, std::string_view why) const {
  for (const auto& path : list()) {
    if (iteration_of(path) <= iteration) continue;
    std::error_code error;
    std::filesystem::rename(path, fmt::format("{}.{}", path.native(), why), error);
    log(log_, LogLevel::Warning,
        error ? fmt::format("cannot rename the {} checkpoint {}: {}", why, printable(path),
                            error.message())
              : fmt::format("renamed the {0} checkpoint {1} to {2}.{0}", why, printable(path),
                            path.filename().string()));
  }
}

std::vector<std::filesystem::path> CheckpointStore::list() const {
  std::vector<std::pair<std::int64_t, std::filesystem::path>> found;
  std::error_code ignored;  // no folder, no checkpoints
  for (const auto& entry : std::filesystem::directory_iterator(folder_, ignored))
    if (const auto iteration = iteration_of(entry.path()))
      found.emplace_back(*iteration, entry.path());
  std::ranges::sort(found);
  std::vector<std::filesystem::path> paths;
  for (auto& [iteration, path] : found) paths.push_back(std::move(path));
  return paths;
}

void CheckpointStore::prune(const CheckpointInfo& newest) const {
  std::vector<std::filesystem::path> paths = list();
  // Only what came before: never the one just written, whatever else lies in the folder.
  std::erase_if(paths, [&](const auto& path) { return iteration_of(path) >= newest.iteration; });
  const auto keep = static_cast<std::size_t>(keep_last_ - 1);
  for (std::size_t i = 0; i + keep < paths.size(); ++i) {
    if (iteration_of(paths[i]) == newest.best_iteration) continue;
    std::error_code error;
    std::filesystem::remove(paths[i], error);
    if (error)
      log(log_, LogLevel::Warning,
          fmt::format("cannot remove the old checkpoint {}: {}", printable(paths[i]),
                      error.message()));
  }
}

}  // namespace dino::run
