#include "dino/data/sources/sample_name.h"

#include <algorithm>

#include "dino/base/error.h"
#include "dino/base/json.h"
#include "dino/base/text.h"
#include "dino/data/sources/sources.h"

namespace dino::data {
namespace {

constexpr std::size_t kLongestLabel = 200;  // bytes

std::size_t first_dot(std::string_view name) {
  const std::size_t slash = name.rfind('/');
  return std::min(name.find('.', slash == name.npos ? 0 : slash + 1), name.size());
}

}  // namespace

std::string_view sample_key(std::string_view name) {
  return name.substr(0, first_dot(name));
}

std::string sample_extension(std::string_view name) {
  std::string extension(name.substr(std::min(first_dot(name) + 1, name.size())));
  std::transform(extension.begin(), extension.end(), extension.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return extension;
}

bool is_input(std::string_view name, const std::vector<std::string>& inputs) {
  const std::size_t slash = name.rfind('/');
  if (name.substr(slash == name.npos ? 0 : slash + 1).starts_with('.')) return false;
  if (inputs.empty()) return has_image_extension(std::filesystem::path(name));
  return std::find(inputs.begin(), inputs.end(), sample_extension(name)) != inputs.end();
}

std::string parse_label(std::string_view bytes, bool json) {
  std::string label(bytes);
  if (json) {
    const nlohmann::json object = parse_json(bytes, "read label", "json");
    const nlohmann::json* found = nullptr;
    for (const char* key : {"label", "cls", "class"})
      if (found == nullptr && object.is_object() && object.contains(key)) found = &object[key];
    if (found == nullptr || found->is_null()) return "";
    if (!found->is_string() && !found->is_number_integer())
      fail(ErrorKind::Format, "[read label] neither a string nor an integer");
    label = found->is_string() ? found->get<std::string>() : found->dump();
  }
  const auto blank = [](char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; };
  while (!label.empty() && blank(label.back())) label.pop_back();
  label.erase(label.begin(), std::find_if_not(label.begin(), label.end(), blank));
  if (label.empty() || label.size() > kLongestLabel || label != printable(std::string_view(label)))
    fail(ErrorKind::Format, "[read label] no text of 1 to {} bytes", kLongestLabel);
  return label;
}

}  // namespace dino::data
