#include "dino/run/bad_file_list.h"

#include "dino/base/file.h"
#include "dino/base/json.h"
#include "dino/base/json_lines.h"

namespace dino::run {

BadFileList::BadFileList(std::filesystem::path path) : path_(std::move(path)) {
  if (!std::filesystem::exists(path_)) return;
  const std::string text = read_text_file(path_);
  const std::size_t whole = text.rfind('\n') == text.npos ? 0 : text.rfind('\n') + 1;
  if (whole < text.size()) std::filesystem::resize_file(path_, whole);
  for_each_json_line(text, [this](const nlohmann::json& line, std::string_view) {
    if (!line.contains("name") || !line["name"].is_string()) return;
    const auto reason = data::bad_reason_from_name(line.value("reason", ""));
    if (names_.insert(line["name"].get<std::string>()).second)
      ++reasons_[reason.value_or(data::BadReason::Corrupt)];
  });
}

void BadFileList::add(std::span<const data::BadFile> files) {
  std::string lines;
  for (const data::BadFile& bad : files) {
    if (!names_.insert(bad.name).second) continue;
    ++reasons_[bad.reason];
    lines += dump_json({{"name", bad.name},
                        {"reason", data::bad_reason_name(bad.reason)},
                        {"message", bad.message}}) +
             "\n";
  }
  if (lines.empty()) return;
  if (!file_) file_.emplace(path_);
  file_->append(lines);
}

std::string BadFileList::summary() const {
  if (names_.empty()) return "";
  return fmt::format("{} bad ({})", names_.size(), data::bad_reasons(reasons_));
}

}  // namespace dino::run
