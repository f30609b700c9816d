// Lists of image files: plain text, delimited text (RFC 4180, any usual delimiter) and JSON Lines.
#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include "dino/base/error.h"
#include "dino/base/file.h"
#include "dino/base/json.h"
#include "dino/base/text.h"
#include "dino/data/sources/label_text.h"
#include "dino/data/sources/records.h"
#include "dino/data/sources/sample_name.h"
#include "dino/data/sources/sources.h"
#include "dino/image/codecs/file_name.h"
#include "dino/image/codecs/sniff.h"

namespace dino::data {
namespace {

namespace fs = std::filesystem;

// As plain_key() writes them; where a heading has several, the first of these is taken.
constexpr std::array<std::string_view, 16> kPathKeys = {
    "path",      "filepath", "file_path", "image_path", "imagepath",  "img_path",
    "file_name", "filename", "file",      "image_file", "image_name", "image_filename",
    "image",     "img",      "img_name",  "image_index"};
constexpr std::string_view kDelimiters = ",;\t|";

std::optional<int> path_rank(std::string_view key) {
  const auto* const found = std::ranges::find(kPathKeys, plain_key(key));
  if (found == kPathKeys.end()) return std::nullopt;
  return static_cast<int>(found - kPathKeys.begin());
}

struct Entry {
  std::string path, label;
};

/** The columns of a title line. */
struct Heading {
  char delimiter = ',';
  std::size_t columns = 0;
  std::size_t path = 0;
  std::optional<std::size_t> label;
};

/** The index of the field with the lowest rank. */
template <typename Rank>
std::optional<std::size_t> best_of(const std::vector<std::string>& fields, const Rank& rank) {
  std::optional<std::size_t> best;
  for (std::size_t i = 0; i < fields.size(); ++i)
    if (const auto mine = rank(fields[i]); mine && (!best || *mine < *rank(fields[*best])))
      best = i;
  return best;
}

class ListReader {
 public:
  ListReader(const fs::path& path, std::string_view text, bool json)
      : reader_(path, text), folder_(path.parent_path()), json_(json) {}

  ItemTable read() {
    if (!json_) read_heading();
    while (!reader_.at_end()) {
      const int line = reader_.line() + 1;
      const Entry entry = json_                             ? json_entry()
                          : heading_.columns > 0            ? row_entry()
                          : reader_.peek().starts_with('"') ? quoted_entry()
                                                            : plain_entry();
      if (!entry.path.empty()) add(entry, line);
    }
    if (items_.size() == 0) refuse_empty();
    items_.seal();
    return std::move(items_);
  }

 private:
  [[noreturn]] void refuse_empty() const {
    std::string others;
    for (const SourceNote& note : items_.notes()) others += "; " + describe(note);
    fail(ErrorKind::Data, "[open data set] list '{}' names no images{}", printable(reader_.path()),
         others);
  }

  void add(const Entry& entry, int line) {
    if (entry.path.find('\0') != std::string::npos)
      reader_.refuse(line, "'{}' is no path",
                     printable(std::string_view(entry.path).substr(0, 200)));
    const std::string path = local_path(entry.path);
    if (!is_image(path, line)) return;
    items_.add(path, entry.label, count_pages(folder_ / path));
  }

  /** Lists from Windows have backslashes. */
  std::string local_path(const std::string& path) const {
    std::error_code ignored;
    if (path.find('\\') == path.npos || fs::exists(folder_ / path, ignored)) return path;
    std::string other = path;
    std::ranges::replace(other, '\\', '/');
    return other;
  }

  bool is_there(std::string_view path) const {
    std::error_code ignored;
    return !path.empty() && fs::is_regular_file(folder_ / path, ignored);
  }

  /** Whether a file is an image, by its name or, if that does not tell, its first bytes. Notes
   * other image formats; refuses everything else. */
  bool is_image(const std::string& path, int line) {
    if (image::has_image_extension(path)) return true;
    if (image::hint_of_name(path).found == image::NameClass::Unreadable) {
      note_unread(items_.notes(), path);
      return false;
    }
    if (is_there(path)) {
      const std::vector<std::byte> head = first_bytes(folder_ / path);
      if (image::kind_of(head) != image::ImageKind::Unknown) return true;
      reader_.refuse(line, "'{}' is no image: it is {}", shown(path), image::describe(head));
    }
    reader_.refuse(
        line,
        "'{}' is neither an image file (by its name: {}; any name if it is there) nor a heading; "
        "write a path per line, then a comma, tab or space and a label if there is one, or a "
        "heading with a column {} (and one called label)",
        shown(path), image::image_extensions(), fmt::join(kPathKeys, ", "));
  }

  static std::string shown(std::string_view path) { return printable(path.substr(0, 200)); }

  // ---- plain lines: a path may hold commas and blanks, so a line that ends like an image is all
  // path
  bool names_file(std::string_view path) const {
    return image::has_image_extension(path) || is_there(local_path(std::string(path)));
  }

  Entry plain_entry() {
    const std::string_view line = reader_.next_line();
    if (line.empty() || image::has_image_extension(line)) return {std::string(line), ""};
    const auto split_at = [&](std::size_t at) -> std::optional<Entry> {
      if (at == line.npos || !names_file(trimmed(line.substr(0, at)))) return std::nullopt;
      return Entry{std::string(trimmed(line.substr(0, at))), label_of_field(line.substr(at + 1))};
    };
    if (const auto entry = split_at(line.find('\t'))) return *entry;
    for (const char delimiter : {',', ';', '|'})
      if (const auto entry = split_at(line.rfind(delimiter))) return *entry;
    for (std::size_t at = line.find(' '); at != line.npos; at = line.find(' ', at + 1))
      if (const auto entry = split_at(at)) return *entry;
    return {std::string(line), ""};
  }

  // ---- delimited
  /** A first line without an image's name that has a column called path is a heading. */
  void read_heading() {
    while (!reader_.at_end() && reader_.peek().empty()) reader_.next_line();
    if (reader_.peek().starts_with("sep=")) reader_.next_line();  // as spreadsheets write it
    const std::string_view line = reader_.peek();
    if (image::has_image_extension(line)) return;
    for (const char delimiter : kDelimiters) {
      RecordReader copy = reader_;
      std::vector<std::string> fields;
      try {
        fields = copy.next_record(delimiter);
      } catch (const Error&) {
        continue;  // not delimited so
      }
      const auto path = best_of(fields, path_rank);
      if (!path || fields.size() <= heading_.columns ||
          std::ranges::any_of(fields,
                              [](auto& field) { return image::has_image_extension(field); }))
        continue;
      heading_ = {delimiter, fields.size(), *path, best_of(fields, label_rank)};
      after_heading_ = copy;
      names_ = fields;
    }
    if (heading_.columns == 0) return;
    reader_ = *after_heading_;
    if (!heading_.label && heading_.columns > 1)
      add_note(items_.notes(),
               "heading has no column called label (or class, category, target, ...)",
               fmt::format("{}", fmt::join(names_, ", ")));
  }

  Entry row_entry() {
    std::vector<std::string> fields = reader_.next_record(heading_.delimiter);
    if (fields.size() == 1 && trimmed(fields[0]).empty()) return {};
    while (fields.size() > heading_.columns && trimmed(fields.back()).empty()) fields.pop_back();
    if (fields.size() != heading_.columns)
      reader_.refuse(reader_.line(), "{} fields under a heading of {}; quote fields that hold '{}'",
                     fields.size(), heading_.columns, heading_.delimiter);
    Entry entry{std::string(trimmed(fields[heading_.path])),
                heading_.label ? label_of_field(fields[*heading_.label]) : ""};
    if (entry.path.empty())
      add_note(items_.notes(), "rows name no file", fmt::format("line {}", reader_.line()));
    return entry;
  }

  Entry quoted_entry() {
    const int line = reader_.line() + 1;
    std::vector<std::string> fields;
    for (const char delimiter : kDelimiters) {
      RecordReader copy = reader_;
      try {
        fields = copy.next_record(delimiter);
      } catch (const Error&) {
        if (delimiter == kDelimiters.back()) throw;
        continue;  // something else follows the quote
      }
      if (fields.size() == 1 && delimiter != kDelimiters.back()) continue;
      reader_ = copy;
      break;
    }
    if (fields.size() > 2)
      reader_.refuse(line, "{} fields; expected a path and a label", fields.size());
    return {fields[0], fields.size() == 2 ? label_of_field(fields[1]) : ""};
  }

  // ---- JSON Lines
  Entry json_entry() {
    const std::string_view line = reader_.next_line();
    if (line.empty()) return {};
    const std::string place = fmt::format("{}:{}", printable(reader_.path()), reader_.line());
    const nlohmann::json object = parse_loose_json(line, place);
    if (!object.is_object()) reader_.refuse(reader_.line(), "expected an object with a path");
    Entry entry;
    int best = 0;
    for (const auto& [key, value] : object.items())
      if (const auto rank = path_rank(key);
          rank && value.is_string() && (entry.path.empty() || *rank < best)) {
        entry.path = value.get<std::string>();
        best = *rank;
      }
    if (entry.path.empty())
      reader_.refuse(reader_.line(), "the object has no \"path\" (or {})",
                     fmt::join(kPathKeys.begin() + 1, kPathKeys.end(), ", "));
    if (const nlohmann::json* label = find_label(object)) try {
        entry.label = label_of_json(*label);
      } catch (const Error& error) {
        add_note(items_.notes(), "labels cannot be used", place, error.what());
      }
    return entry;
  }

  RecordReader reader_;
  fs::path folder_;
  bool json_;
  Heading heading_;  // without columns: there is none
  std::optional<RecordReader> after_heading_;
  std::vector<std::string> names_;
  ItemTable items_;
};

}  // namespace

std::unique_ptr<Dataset> open_list(const fs::path& list, const FileDecoding& decoding) {
  const std::string text = read_text_file(list);
  const std::string extension = lower_extension(list);
  const bool json = extension == ".jsonl" || extension == ".ndjson";
  return make_file_dataset(ListReader(list, text, json).read(), list.parent_path(), decoding);
}

}  // namespace dino::data
