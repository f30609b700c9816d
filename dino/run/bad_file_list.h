// bad_files.jsonl of a run: one line for each image that could not be read.
#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>

#include "dino/data/loading/loader.h"
#include "dino/run/append_file.h"

namespace dino::run {

/** Thread-compatible. Throws Error{Io}. */
class BadFileList {
 public:
  /** Goes on with the list of earlier sessions, if there is one; a last line that was cut off is
   * dropped, reasons that are not known count as corrupt. */
  explicit BadFileList(std::filesystem::path path);

  /** Appends {"name", "reason", "message"} of those not listed yet. */
  void add(std::span<const data::BadFile> files);
  std::int64_t count() const { return static_cast<std::int64_t>(names_.size()); }
  /** "12 bad (7 truncated, 5 empty)"; empty if there are none. */
  std::string summary() const;

 private:
  std::filesystem::path path_;
  std::optional<AppendFile> file_;  // made with the first line
  std::set<std::string> names_;
  std::map<data::BadReason, std::int64_t> reasons_;
};

}  // namespace dino::run
