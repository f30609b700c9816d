#include "dino/run/run_dir.h"

#include <string_view>

#include "dino/base/error.h"
#include "dino/base/file.h"
#include "dino/base/json_lines.h"
#include "dino/base/text.h"

namespace dino::run {
namespace {

constexpr std::string_view kLockName = ".lock";

bool has_other_files(const std::filesystem::path& root) {
  for (const auto& entry : std::filesystem::directory_iterator(root))
    if (entry.path().filename() != kLockName) return true;
  return false;
}

/** Removes what a run writes; other people's files in the same folder stay. */
void remove_run_files(const RunLayout& layout) {
  for (const auto& path :
       {layout.recipe(), layout.env(), layout.metrics(), layout.bad_files(), layout.figures(),
        layout.summary(), layout.report(), layout.checkpoints(), layout.weights()})
    std::filesystem::remove_all(path);
  for (const auto& entry : std::filesystem::directory_iterator(layout.root))
    if (entry.path().filename().string().starts_with("events.out.tfevents."))
      std::filesystem::remove(entry);
}

/** Runs that were killed while writing leave temporary files behind; files of other programs, which
 * may be called .tmp too, stay. */
void remove_temporary_files(const std::filesystem::path& folder) {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored))
    if (is_temporary_file(entry.path())) std::filesystem::remove(entry, ignored);
}

}  // namespace

bool RunLayout::holds_run() const {
  return std::filesystem::exists(recipe()) || std::filesystem::exists(checkpoints());
}

bool RunLayout::holds_progress() const {
  std::error_code missing;
  if (const auto size = std::filesystem::file_size(metrics(), missing); !missing && size > 0)
    return true;
  const std::filesystem::directory_iterator entries(checkpoints(), missing);
  return !missing && entries != std::filesystem::directory_iterator();
}

void RunDir::check_free(const std::filesystem::path& root, bool force) {
  const RunLayout layout{root};
  if (!std::filesystem::exists(root)) return;
  if (!std::filesystem::is_directory(root))
    fail(ErrorKind::Usage, "[train] output {} is a file; name a new folder", printable(root));
  if (force) return;
  if (layout.holds_progress())
    fail(ErrorKind::Usage,
         "[train] {} already holds a run; continue it with `dino train --resume {}`, replace it "
         "with --force, or "
         "choose another --out",
         printable(root), printable(root));
  if (!layout.holds_run() && has_other_files(root))
    fail(ErrorKind::Usage,
         "[train] output directory {} is not empty; choose another --out, or add --force to write "
         "beside what is there",
         printable(root));
}

RunDir RunDir::create(const std::filesystem::path& root, bool force) try {
  check_free(root, force);
  std::filesystem::create_directories(root);
  RunDir run = claim(root);
  if (run.layout_.holds_run()) remove_run_files(run.layout_);
  std::filesystem::create_directories(run.layout_.checkpoints());
  std::filesystem::create_directories(run.layout_.weights());
  return run;
} catch (const std::filesystem::filesystem_error& error) {
  fail(ErrorKind::Io, "[train] cannot prepare {}: {}", printable(root), error.code().message());
}

RunDir RunDir::open(const std::filesystem::path& root) {
  if (!RunLayout{root}.holds_run())
    fail(ErrorKind::Usage,
         "[train] {} holds no run to resume; start one with `dino train --recipe FILE --out {}`",
         printable(root), printable(root));
  RunDir run = claim(root);
  for (const auto& folder : {root, run.layout_.checkpoints(), run.layout_.weights()})
    remove_temporary_files(folder);
  return run;
}

RunDir RunDir::join(const std::filesystem::path& root) {
  return {root, std::nullopt};
}

RunDir RunDir::claim(const std::filesystem::path& root) {
  std::optional<FileLock> lock = FileLock::try_lock(root / kLockName);
  if (!lock)
    fail(ErrorKind::Usage,
         "[train] output directory in use: another training runs in {}; choose another --out",
         printable(root));
  return {root, std::move(lock)};
}

void truncate_metrics(const std::filesystem::path& path, std::int64_t iteration) {
  if (!std::filesystem::exists(path)) return;
  const std::string text = read_text_file(path);
  std::string kept;
  for_each_json_line(text, [&](const nlohmann::json& entry, std::string_view line) {
    const auto at = entry.find("iteration");
    if (at != entry.end() && at->is_number_integer() && *at <= iteration) (kept += line) += '\n';
  });
  write_file_atomically(path, kept);
}

}  // namespace dino::run
