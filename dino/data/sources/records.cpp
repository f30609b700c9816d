#include "dino/data/sources/records.h"

#include <algorithm>

namespace dino::data {

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r'))
    text.remove_suffix(1);
  return text;
}

RecordReader::RecordReader(std::filesystem::path path, std::string_view text)
    : path_(std::move(path)), rest_(text) {
  if (rest_.starts_with("\xef\xbb\xbf")) rest_.remove_prefix(3);  // UTF-8 mark of some editors
  if (rest_.starts_with("\xff\xfe") || rest_.starts_with("\xfe\xff"))
    refuse(1, "the file is UTF-16; save it as UTF-8");
}

std::string_view RecordReader::peek() const {
  return trimmed(rest_.substr(0, rest_.find('\n')));
}

std::string_view RecordReader::next_line() {
  ++line_;
  const std::string_view line = peek();
  rest_.remove_prefix(std::min(rest_.find('\n'), rest_.size() - 1) + 1);
  return line;
}

std::vector<std::string> RecordReader::next_record(char delimiter) {
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
    } else if (c == '"' && !was_quoted && trimmed(fields.back()).empty()) {
      fields.back().clear();
      quoted = was_quoted = true;
    } else if (c == delimiter) {
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

}  // namespace dino::data
