// A reader for the few literals NumPy writes: no nesting but the record type, which is skipped as
// text.
#include "dino/format/npy_dictionary.h"

#include <charconv>

namespace dino::format {
namespace {

class Cursor {
 public:
  explicit Cursor(std::string_view text) : text_(text) {}

  /** Skips white space, then `token` if it is next. */
  bool take(std::string_view token) {
    skip_space();
    if (!text_.starts_with(token)) return false;
    text_.remove_prefix(token.size());
    return true;
  }

  bool at_end() {
    skip_space();
    return text_.empty();
  }

  /** A string in either kind of quotes, without escapes. */
  std::optional<std::string> string() {
    skip_space();
    if (text_.empty() || (text_[0] != '\'' && text_[0] != '"')) return std::nullopt;
    const auto end = text_.find(text_[0], 1);
    if (end == text_.npos) return std::nullopt;
    const std::string value(text_.substr(1, end - 1));
    if (value.find('\\') != value.npos) return std::nullopt;
    text_.remove_prefix(end + 1);
    return value;
  }

  std::optional<bool> boolean() {
    if (take("True")) return true;
    if (take("False")) return false;
    return std::nullopt;
  }

  /** A tuple of sizes: (), (3,), (3, 4) or (3, 4,); Python 2 wrote 3L. */
  std::optional<std::vector<std::int64_t>> sizes() {
    if (!take("(")) return std::nullopt;
    std::vector<std::int64_t> values;
    bool comma = true;
    while (!take(")")) {
      std::int64_t value = 0;
      skip_space();
      const auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), value);
      if (!comma || error != std::errc() || value < 0) return std::nullopt;
      text_.remove_prefix(static_cast<std::size_t>(end - text_.data()));
      take("L");
      values.push_back(value);
      comma = take(",");
    }
    if (values.size() == 1 && !comma) return std::nullopt;  // (3) is a number, not a tuple
    return values;
  }

  /** The text of a list up to its closing bracket; brackets in strings do not count. */
  std::optional<std::string> list_text() {
    skip_space();
    int depth = 0;
    char quote = 0;
    for (std::size_t i = 0; i < text_.size(); ++i) {
      const char c = text_[i];
      if (quote != 0) {
        if (c == quote) quote = 0;
      } else if (c == '\'' || c == '"') {
        quote = c;
      } else if (c == '[') {
        ++depth;
      } else if (c == ']' && --depth <= 0) {
        const std::string value(text_.substr(0, i + 1));
        text_.remove_prefix(i + 1);
        return value;
      }
    }
    return std::nullopt;
  }

  /** What comes next, white space skipped; 0 at the end. */
  char peek() {
    skip_space();
    return text_.empty() ? '\0' : text_[0];
  }

 private:
  void skip_space() {
    const auto start = text_.find_first_not_of(" \t\r\n");
    text_.remove_prefix(start == text_.npos ? text_.size() : start);
  }

  std::string_view text_;
};

}  // namespace

std::optional<NpyDictionary> parse_npy_dictionary(std::string_view text) {
  Cursor cursor(text);
  std::optional<std::string> descr;
  std::optional<bool> fortran_order;
  std::optional<std::vector<std::int64_t>> shape;
  if (!cursor.take("{")) return std::nullopt;
  bool comma = true;
  while (!cursor.take("}")) {
    const auto key = cursor.string();
    if (!comma || !key || !cursor.take(":")) return std::nullopt;
    bool understood = false;
    if (*key == "descr" && !descr) {
      descr = cursor.peek() == '[' ? cursor.list_text() : cursor.string();
      understood = descr.has_value();
    } else if (*key == "fortran_order" && !fortran_order) {
      fortran_order = cursor.boolean();
      understood = fortran_order.has_value();
    } else if (*key == "shape" && !shape) {
      shape = cursor.sizes();
      understood = shape.has_value();
    }
    if (!understood) return std::nullopt;
    comma = cursor.take(",");
  }
  if (!descr || !fortran_order || !shape || !cursor.at_end()) return std::nullopt;
  return NpyDictionary{*descr, *fortran_order, *shape};
}

}  // namespace dino::format
