// Labels as people write them: in text, JSON and arrays; private to dino/data.
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

/** The name of a class as a field of a list has it: blanks around it go, a whole number written as
 * a float ("3.0") is that number, a list of numbers in brackets is read as JSON. Empty without, and
 * of -1 and NaN, which mean that in every source. */
std::string label_of_field(std::string_view field);

/** The same of a .cls file. Throws Error{Format} on what is empty or no short text. */
std::string label_of_text(std::string_view text);

/** The same of a JSON value: a string, a whole number, true or false, a list of one of these, or a
 * list of 0 and a single 1, whose place is the label. Empty of null. Throws Error{Format}. */
std::string label_of_json(const nlohmann::json& value);

/** The label among the keys of a JSON object ("label", "class", "category", ... in any case): the
 * first that is there and not null; nullptr if there is none. */
const nlohmann::json* find_label(const nlohmann::json& object);

/** Whether a key or the heading of a column means labels; lower is the better choice. */
std::optional<int> label_rank(std::string_view key);

/** "Image Path " -> "image_path": keys and headings are compared so. */
std::string plain_key(std::string_view key);

/** parse_json() that takes NaN and infinities, which Python writes, for null. `name` appears in
 * errors. */
nlohmann::json parse_loose_json(std::string_view text, std::string_view name);

/** The label in a .cls member (its text) or a .json member (found by find_label(), or the whole
 * value if it is no object). Empty if there is none. Throws Error{Format} where there should be one
 * and is not. */
std::string parse_label(std::string_view bytes, bool json);

/** Labels of the images of an array. */
struct ArrayLabels {
  std::vector<std::int64_t> labels;      ///< classes, -1 of an image without one; empty without any
  std::vector<std::string> class_names;  ///< "0", "1", ... up to the largest label
  std::vector<SourceNote> notes;
};

/** Whether an array of that type and shape may hold labels: [N], [N, 1] or one-hot [N, K]. */
bool may_hold_labels(format::DType dtype, std::span<const std::int64_t> shape);

/** From an array of numbers in native byte order. -1 is no label; neither are other negative
 * numbers, fractions, NaN and rows without a single 1, which are noted under `name`. Numbers above
 * a million are the names of their classes, in order. */
ArrayLabels labels_of_array(format::DType dtype, std::span<const std::int64_t> shape,
                            std::span<const std::byte> bytes, std::string_view name);

/** From names; those that are empty are no labels. */
ArrayLabels labels_of_names(const std::vector<std::string>& names);

}  // namespace dino::data
