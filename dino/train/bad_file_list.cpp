#include "dino/train/bad_file_list.h"

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "dino/base/file.h"
#include "dino/base/json.h"

namespace dino::train {

BadFileList::BadFileList(std::filesystem::path path) : path_(std::move(path)) {
  if (!std::filesystem::exists(path_)) return;
  const std::string text = read_text_file(path_);
  const std::size_t whole = text.rfind('\n') == text.npos ? 0 : text.rfind('\n') + 1;
  if (whole < text.size()) std::filesystem::resize_file(path_, whole);
  for (std::size_t begin = 0; begin < whole;) {
    const std::size_t end = text.find('\n', begin);
    const auto line = nlohmann::json::parse(text.substr(begin, end - begin), nullptr, false);
    begin = end + 1;
    if (!line.is_object() || !line.contains("name") || !line["name"].is_string()) continue;
    if (names_.insert(line["name"].get<std::string>()).second) ++reasons_[line.value("reason", "")];
  }
}

void BadFileList::add(std::span<const data::BadFile> files) {
  std::string lines;
  for (const data::BadFile& bad : files) {
    if (!names_.insert(bad.name).second) continue;
    const std::string reason(data::bad_reason_name(bad.reason));
    ++reasons_[reason];
    lines += dump_json({{"name", bad.name}, {"reason", reason}, {"message", bad.message}}) + "\n";
  }
  if (lines.empty()) return;
  if (!file_) file_.emplace(path_);
  file_->append(lines);
}

std::string BadFileList::summary() const {
  if (names_.empty()) return "";
  std::vector<std::pair<std::int64_t, std::string>> most;
  for (const auto& [reason, number] : reasons_) most.emplace_back(-number, reason);
  std::sort(most.begin(), most.end());
  std::string text;
  for (const auto& [number, reason] : most)
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", -number, reason);
  return fmt::format("{} bad ({})", names_.size(), text);
}

}  // namespace dino::train
