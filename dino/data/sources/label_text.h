// Parses labels in text, JSON and arrays; private to dino/data.
#pragma once
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dino/data/sources/source_note.h"
#include "dino/format/tensor_record.h"

namespace dino::data {

/** The class name in a field of a list: trimmed, whole numbers written as floats ("3.0") as
 * integers, lists of numbers in brackets parsed as JSON. Empty means no label, as do -1 and NaN in
 * every source. */
std::string label_of_field(std::string_view field);

/** The class name in a .cls file. Throws Error{Format} if it is empty or not a short text. */
std::string label_of_text(std::string_view text);

/** The class name in a JSON value: a string, a whole number, true or false, a list of one of these,
 * or a one-hot list, whose label is the index of the 1. Empty for null. Throws Error{Format} on
 * other values. */
std::string label_of_json(const nlohmann::json& value);

/** The label in a JSON object: the first key of "label", "class", "category", ... (ignoring case)
 * that is present and not null; nullptr if there is none. */
const nlohmann::json* find_label(const nlohmann::json& object);

/** The rank of a key or column title that means labels (lower is better); nothing for other names.
 */
std::optional<int> label_rank(std::string_view key);

/** Normalizes a key or column title for comparison: "Image Path " becomes "image_path". */
std::string plain_key(std::string_view key);

/** As parse_json(), but reads NaN and infinities, which Python writes, as null. `name` appears in
 * errors. */
nlohmann::json parse_loose_json(std::string_view text, std::string_view name);

/** The label in a .cls member (its text) or a .json member (by find_label(), or the whole value if
 * it is not an object). Empty if there is none. Throws Error{Format} if it is invalid. */
std::string parse_label(std::string_view bytes, bool json);

/** Labels of the images of an array. */
struct ArrayLabels {
  std::vector<std::int64_t> labels;      ///< classes, -1 for no label; empty if there are no labels
  std::vector<std::string> class_names;  ///< "0", "1", ... up to the largest label
  std::vector<SourceNote> notes;
};

/** Whether an array of this type and shape may hold labels: [N], [N, 1] or one-hot [N, K]. */
bool may_hold_labels(format::DType dtype, std::span<const std::int64_t> shape);

/** Labels from an array of numbers in native byte order. -1 means no label; other negative numbers,
 * fractions, NaN and rows that are not one-hot count as no label and are noted under `name`. If
 * numbers exceed a million, the classes are the distinct numbers in order. */
ArrayLabels labels_of_array(format::DType dtype, std::span<const std::int64_t> shape,
                            std::span<const std::byte> bytes, std::string_view name);

/** Labels from class names; empty ones mean no label. */
ArrayLabels labels_of_names(const std::vector<std::string>& names);

}  // namespace dino::data
