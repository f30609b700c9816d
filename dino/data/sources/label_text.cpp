#include "dino/data/sources/label_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "dino/base/error.h"
#include "dino/base/json.h"
#include "dino/base/text.h"

namespace dino::data {
namespace {

constexpr std::size_t kLongestLabel = 200;       // bytes
constexpr double kLargestWhole = 9e15;           // whole numbers up to here are exact in a double
constexpr std::size_t kLongestOneHot = 1 << 20;  // places

constexpr std::array<std::string_view, 17> kLabelKeys = {
    "label",      "class",       "cls",         "class_name",    "category",      "target",
    "label_name", "class_label", "image_label", "category_name", "class_id",      "label_id",
    "class_idx",  "class_index", "category_id", "labels",        "finding_labels"};

bool is_blank(char c) {
  return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

std::string_view without_blanks(std::string_view text) {
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  return text;
}

bool is_whole(double value) {
  return std::abs(value) < kLargestWhole && value == std::floor(value);
}

/** Parses "3.0", "1.000e+00" as 3, 1; nothing if there is no point or it is not whole. */
std::optional<std::int64_t> whole_float(std::string_view text) {
  if (text.find('.') == text.npos) return std::nullopt;
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !is_whole(value))
    return std::nullopt;
  return static_cast<std::int64_t>(value);
}

/** The spellings of "no label". */
bool is_missing(std::string_view text) {
  return text == "-1" || plain_key(text) == "nan";
}

[[noreturn]] void refuse(std::string_view why) {
  fail(ErrorKind::Format, "[read label] {}", why);
}

/** The index of the only 1 among zeros. */
std::optional<std::size_t> one_hot(const nlohmann::json& list) {
  std::optional<std::size_t> place;
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (!list[i].is_number() && !list[i].is_boolean()) return std::nullopt;
    const double value =
        list[i].is_boolean() ? (list[i].get<bool>() ? 1 : 0) : list[i].get<double>();
    if (value == 0) continue;
    if (value != 1 || place) return std::nullopt;
    place = i;
  }
  return place;
}

/** The text with NaN, Infinity and -Infinity outside of strings as null: Python's json module
 * writes them, which JSON does not have. */
std::string without_nan(std::string_view text) {
  std::string out;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size();) {
    std::size_t taken = 1;
    if (quoted && text[i] == '\\') {
      taken = std::min<std::size_t>(2, text.size() - i);
    } else if (text[i] == '"') {
      quoted = !quoted;
    } else if (!quoted) {
      for (const std::string_view word : {"NaN", "-Infinity", "Infinity"})
        if (text.substr(i).starts_with(word)) {
          out += "null";
          i += word.size();
          taken = 0;
          break;
        }
    }
    out += text.substr(i, taken);
    i += taken;
  }
  return out;
}

}  // namespace

std::string label_of_field(std::string_view field) {
  if (field.starts_with("\xef\xbb\xbf")) field.remove_prefix(3);  // UTF-8 mark of some editors
  const std::string_view text = without_blanks(field);
  if (text.starts_with('[') && text.ends_with(']')) try {
      return label_of_json(parse_json(text, "read label", "list"));
    } catch (const Error&) {
      // A class name that happens to be in brackets.
    }
  const auto whole = whole_float(text);
  std::string label = whole ? std::to_string(*whole) : std::string(text);
  return is_missing(label) ? "" : label;
}

std::string label_of_text(std::string_view text) {
  std::string label = label_of_field(text);
  if (label.empty() && without_blanks(text).empty()) refuse("it is empty");
  if (label.size() > kLongestLabel)
    refuse(
        fmt::format("{} bytes are no name of a class (at most {})", label.size(), kLongestLabel));
  if (label != printable(std::string_view(label))) refuse("it is no text");
  return label;
}

std::string label_of_json(const nlohmann::json& value) {
  if (value.is_null()) return "";
  if (value.is_string()) return label_of_text(value.get_ref<const std::string&>());
  if (value.is_boolean()) return value.get<bool>() ? "true" : "false";
  if (value.is_number_integer()) return label_of_field(value.dump());
  if (value.is_number()) {
    const double number = value.get<double>();
    if (is_whole(number)) return label_of_field(std::to_string(static_cast<std::int64_t>(number)));
    refuse(fmt::format("{} is no whole number", number));
  }
  if (!value.is_array()) refuse("an object is no label");
  if (value.size() == 1) return label_of_json(value[0]);
  if (value.size() <= kLongestOneHot)
    if (const auto place = one_hot(value)) return std::to_string(*place);
  refuse(fmt::format("a list of {} values that are not zeros and a single 1", value.size()));
}

std::string plain_key(std::string_view key) {
  std::string plain(without_blanks(key));
  for (char& c : plain) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (c == ' ' || c == '-') c = '_';
  }
  return plain;
}

std::optional<int> label_rank(std::string_view key) {
  const auto* const found = std::ranges::find(kLabelKeys, plain_key(key));
  if (found == kLabelKeys.end()) return std::nullopt;
  return static_cast<int>(found - kLabelKeys.begin());
}

const nlohmann::json* find_label(const nlohmann::json& object) {
  const nlohmann::json* best = nullptr;
  int best_rank = 0;
  for (const auto& [key, value] : object.items()) {
    const auto rank = label_rank(key);
    if (!rank || value.is_null() || (best != nullptr && *rank >= best_rank)) continue;
    best = &value;
    best_rank = *rank;
  }
  return best;
}

nlohmann::json parse_loose_json(std::string_view text, std::string_view name) {
  return parse_json(without_nan(text), "open data set", name);
}

std::string parse_label(std::string_view bytes, bool json) {
  if (!json) return label_of_text(bytes);
  const nlohmann::json value = parse_loose_json(bytes, "the label");
  if (!value.is_object()) return label_of_json(value);
  const nlohmann::json* const found = find_label(value);
  return found == nullptr ? "" : label_of_json(*found);
}

}  // namespace dino::data
