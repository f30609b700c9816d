// Labels of images in arrays: numbers, one-hot rows, names.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>

#include "dino/base/error.h"
#include "dino/base/half.h"
#include "dino/data/sources/item_table.h"
#include "dino/data/sources/label_text.h"

namespace dino::data {
namespace {

using format::DType;

constexpr std::string_view kNoLabel = "labels cannot be used";
constexpr std::int64_t kMostNumbered = 1'000'000;  ///< classes that are numbered up to the largest

template <typename T>
double value_at(const std::byte* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof value);
  return static_cast<double>(value);
}

/** A number as a double; numbers beyond 2^53 are not labels. */
double value_of(DType dtype, const std::byte* bytes) {
  switch (dtype) {
    case DType::Bool:
    case DType::U8:
      return value_at<std::uint8_t>(bytes);
    case DType::I8:
      return value_at<std::int8_t>(bytes);
    case DType::U16:
      return value_at<std::uint16_t>(bytes);
    case DType::I16:
      return value_at<std::int16_t>(bytes);
    case DType::U32:
      return value_at<std::uint32_t>(bytes);
    case DType::I32:
      return value_at<std::int32_t>(bytes);
    case DType::U64:
      return value_at<std::uint64_t>(bytes);
    case DType::I64:
      return value_at<std::int64_t>(bytes);
    case DType::F32:
      return value_at<float>(bytes);
    case DType::F64:
      return value_at<double>(bytes);
    case DType::F16: {
      std::uint16_t half = 0;
      std::memcpy(&half, bytes, sizeof half);
      return static_cast<double>(half_to_float(half));
    }
    default:
      return std::numeric_limits<double>::quiet_NaN();
  }
}

/** The label of one row, or -1 and why it has none; -1 itself needs no reason. */
std::int64_t label_of_row(const std::vector<double>& row, std::string& why) {
  if (row.size() == 1) {
    const double value = row[0];
    if (value == -1) return -1;
    if (value >= 0 && value < 9e15 && value == std::floor(value))
      return static_cast<std::int64_t>(value);
    why = fmt::format("{} is no class; number them from 0", value);
    return -1;
  }
  std::int64_t place = -1;
  for (std::size_t i = 0; i < row.size(); ++i) {
    if (row[i] == 0) continue;
    if (row[i] != 1 || place >= 0) {
      why = "a row that is not zeros and a single 1";
      return -1;
    }
    place = static_cast<std::int64_t>(i);
  }
  if (place < 0) why = "a row of zeros";
  return place;
}

/** Names the classes by number up to the largest or, if that is too large, by the numbers that
 * occur. */
void name_classes(ArrayLabels& found, std::int64_t classes) {
  for (const std::int64_t label : found.labels) classes = std::max(classes, label + 1);
  if (classes <= kMostNumbered) {
    for (std::int64_t i = 0; i < classes; ++i) found.class_names.push_back(std::to_string(i));
    return;
  }
  std::map<std::int64_t, std::int64_t> places;
  for (const std::int64_t label : found.labels)
    if (label >= 0) places.emplace(label, 0);
  for (auto& [label, place] : places) {
    place = std::ssize(found.class_names);
    found.class_names.push_back(std::to_string(label));
  }
  for (std::int64_t& label : found.labels)
    if (label >= 0) label = places.at(label);
}

void drop_if_none(ArrayLabels& found) {
  if (std::ranges::all_of(found.labels, [](std::int64_t label) { return label < 0; }))
    found.labels.clear();
}

}  // namespace

bool may_hold_labels(DType dtype, std::span<const std::int64_t> shape) {
  return dtype != DType::BF16 && (shape.size() == 1 || shape.size() == 2) &&
         std::ranges::all_of(shape, [](std::int64_t size) { return size > 0; });
}

ArrayLabels labels_of_array(DType dtype, std::span<const std::int64_t> shape,
                            std::span<const std::byte> bytes, std::string_view name) {
  const auto rows = static_cast<std::size_t>(shape[0]);
  const std::size_t columns = shape.size() == 2 ? static_cast<std::size_t>(shape[1]) : 1;
  const std::size_t item = format::item_bytes(dtype);
  DINO_ASSERT(bytes.size() == rows * columns * item);
  ArrayLabels found;
  std::vector<double> row(columns);
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t c = 0; c < columns; ++c)
      row[c] = value_of(dtype, bytes.data() + (i * columns + c) * item);
    std::string why;
    found.labels.push_back(label_of_row(row, why));
    if (!why.empty()) add_note(found.notes, kNoLabel, fmt::format("{}[{}]", name, i), why);
  }
  drop_if_none(found);
  if (!found.labels.empty())
    name_classes(found, columns > 1 ? static_cast<std::int64_t>(columns) : 0);
  return found;
}

ArrayLabels labels_of_names(const std::vector<std::string>& names) {
  ArrayLabels found;
  std::map<std::string_view, std::int64_t> places;
  for (const std::string& name : names)
    if (!name.empty() && places.emplace(name, 0).second) found.class_names.push_back(name);
  sort_classes(found.class_names);
  for (std::size_t i = 0; i < found.class_names.size(); ++i)
    places.at(found.class_names[i]) = static_cast<std::int64_t>(i);
  for (const std::string& name : names) found.labels.push_back(name.empty() ? -1 : places.at(name));
  drop_if_none(found);
  return found;
}

}  // namespace dino::data
