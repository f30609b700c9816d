// Lists of image files: plain text, CSV (RFC 4180) and JSON Lines.
#include <algorithm>
#include <array>
#include <string_view>

#include "dino/base/error.h"
#include "dino/base/file.h"
#include "dino/base/json.h"
#include "dino/base/text.h"
#include "dino/data/sources/sources.h"

namespace dino::data {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 5> kPathKeys = {"path", "file", "filename", "file_name",
                                                       "image"};
constexpr std::array<std::string_view, 5> kLabelKeys = {"label", "class", "cls", "class_name",
                                                        "category"};

struct Entry {
  std::string path, label;
};

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r'))
    text.remove_suffix(1);
  return text;
}

/** A list being read: where it stands, and errors that say so. */
class ListReader {
 public:
  ListReader(const fs::path& path, std::string_view text) : path_(path), rest_(text) {
    if (rest_.starts_with("\xef\xbb\xbf")) rest_.remove_prefix(3);  // UTF-8 mark of some editors
  }

  ItemTable read() {
    const bool json = path_.extension() == ".jsonl", csv = path_.extension() == ".csv";
    if (csv) read_heading();
    while (!rest_.empty()) {
      const int line = line_ + 1;
      const Entry entry = json                    ? json_entry()
                          : columns_ > 0          ? row_entry()
                          : csv && quoted_ahead() ? quoted_entry()
                                                  : plain_entry();
      if (!entry.path.empty()) add(entry, line);
    }
    if (items_.size() == 0)
      fail(ErrorKind::Data, "[open data set] list '{}' names no images", printable(path_));
    items_.seal();
    return std::move(items_);
  }

 private:
  template <typename... Args>
  [[noreturn]] void refuse(int line, fmt::format_string<Args...> format, Args&&... args) const {
    fail(ErrorKind::Data, "[open data set] {}:{}: {}", printable(path_), line,
         fmt::format(format, std::forward<Args>(args)...));
  }

  void add(const Entry& entry, int line) {
    if (entry.path.find('\0') != std::string::npos || !has_image_extension(entry.path))
      refuse(line,
             "'{}' is no image file (.jpg, .png, .webp, .tif, .gif, .bmp, .ppm); one path per "
             "line, without a heading (a .csv may "
             "have one that names a column path)",
             printable(std::string_view(entry.path).substr(0, 200)));
    if (items_.size() > 0 && entry.label.empty() == labelled_)
      refuse(line, "the line has {} label, unlike those before; label all or none",
             entry.label.empty() ? "no" : "a");
    labelled_ = !entry.label.empty();
    items_.add(entry.path, entry.label, count_pages(path_.parent_path() / entry.path));
  }

  std::string_view next_line() {
    ++line_;
    const std::size_t end = std::min(rest_.find('\n'), rest_.size());
    const std::string_view line = rest_.substr(0, end);
    rest_.remove_prefix(std::min(end + 1, rest_.size()));
    return trimmed(line);
  }

  // ---- plain lines: a path may hold commas, so a line that ends like an image is all path
  Entry plain_entry() {
    const std::string_view line = next_line();
    const std::size_t tab = line.find('\t');
    const std::size_t split = tab != line.npos ? tab : line.rfind(',');
    if (split == line.npos || has_image_extension(fs::path(line))) return {std::string(line), ""};
    return {std::string(trimmed(line.substr(0, split))),
            std::string(trimmed(line.substr(split + 1)))};
  }

  // ---- CSV
  bool quoted_ahead() const { return rest_.starts_with('"'); }

  /** The fields of one record, which may span lines within quotes. */
  std::vector<std::string> record() {
    std::vector<std::string> fields(1);
    const int first = ++line_;
    bool quoted = false, was_quoted = false;
    std::size_t i = 0;
    for (; i < rest_.size(); ++i) {
      const char c = rest_[i];
      if (quoted) {
        if (c == '\n') ++line_;
        if (c != '"') {
          fields.back() += c;
        } else if (i + 1 < rest_.size() && rest_[i + 1] == '"') {
          fields.back() += c;
          ++i;
        } else {
          quoted = false;
        }
      } else if (c == '"' && fields.back().empty() && !was_quoted) {
        quoted = was_quoted = true;
      } else if (c == ',') {
        fields.emplace_back();
        was_quoted = false;
      } else if (c == '\n') {
        break;
      } else if (c == '"') {
        refuse(first, "a quote within an unquoted field; write it twice and quote the field");
      } else if (!(c == '\r' && (i + 1 == rest_.size() || rest_[i + 1] == '\n'))) {
        fields.back() += c;
      }
    }
    if (quoted) refuse(first, "a quote is opened and never closed");
    rest_.remove_prefix(std::min(i + 1, rest_.size()));
    return fields;
  }

  /** A first line without an image's name that has a column called path is a heading. */
  void read_heading() {
    const std::string_view line = trimmed(rest_.substr(0, rest_.find('\n')));
    if (has_image_extension(fs::path(line))) return;
    const std::string_view before = rest_;
    const std::vector<std::string> fields = record();
    const auto column = [&](const auto& keys) {
      for (std::size_t i = 0; i < fields.size(); ++i)
        if (std::find(keys.begin(), keys.end(), trimmed(fields[i])) != keys.end())
          return static_cast<int>(i);
      return -1;
    };
    path_column_ = column(kPathKeys);
    label_column_ = column(kLabelKeys);
    if (path_column_ >= 0) {
      columns_ = fields.size();
    } else {
      rest_ = before;
      line_ = 0;
    }
  }

  Entry row_entry() {
    const std::vector<std::string> fields = record();
    if (fields.size() == 1 && trimmed(fields[0]).empty()) return {};
    if (fields.size() != columns_)
      refuse(line_, "{} fields under a heading of {}; quote fields that hold commas", fields.size(),
             columns_);
    const auto field = [&](int column) {
      return column < 0 ? std::string()
                        : std::string(trimmed(fields[static_cast<std::size_t>(column)]));
    };
    return {field(path_column_), field(label_column_)};
  }

  Entry quoted_entry() {
    const int line = line_ + 1;
    const std::vector<std::string> fields = record();
    if (fields.size() > 2) refuse(line, "{} fields; expected a path and a label", fields.size());
    return {fields[0], fields.size() == 2 ? std::string(trimmed(fields[1])) : ""};
  }

  // ---- JSON Lines
  Entry json_entry() {
    const std::string_view line = next_line();
    if (line.empty()) return {};
    const std::string place = fmt::format("{}:{}", printable(path_), line_);
    const nlohmann::json object = parse_json(line, "open data set", place);
    if (!object.is_object()) refuse(line_, "expected an object with a path");
    Entry entry;
    for (const std::string_view key : kPathKeys)
      if (const auto found = object.find(key);
          entry.path.empty() && found != object.end() && found->is_string())
        entry.path = found->get<std::string>();
    if (entry.path.empty()) refuse(line_, "the object has no \"path\"");
    for (const std::string_view key : kLabelKeys) {
      const auto found = object.find(key);
      if (found == object.end() || found->is_null()) continue;
      if (!found->is_string() && !found->is_number_integer())
        refuse(line_, "\"{}\" is neither a string nor an integer", key);
      entry.label = found->is_string() ? found->get<std::string>() : found->dump();
      break;
    }
    return entry;
  }

  fs::path path_;
  std::string_view rest_;
  int line_ = 0;
  std::size_t columns_ = 0;  // of the heading; 0 = there is none
  int path_column_ = -1, label_column_ = -1;
  bool labelled_ = false;
  ItemTable items_;
};

}  // namespace

std::unique_ptr<Dataset> open_list(const fs::path& list, const FileDecoding& decoding) {
  const std::string text = read_text_file(list);
  return make_file_dataset(ListReader(list, text).read(), list.parent_path(), decoding);
}

}  // namespace dino::data
