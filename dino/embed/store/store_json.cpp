// store.json, index.jsonl and bad.jsonl.
#include <algorithm>
#include <charconv>

#include "dino/arch/architecture.h"
#include "dino/base/error.h"
#include "dino/base/file.h"
#include "dino/base/json.h"
#include "dino/base/json_lines.h"
#include "dino/base/text.h"
#include "dino/embed/store/store_files.h"

namespace dino::embed {
namespace {

using Json = nlohmann::json;

constexpr int kVersion = 1;
constexpr std::string_view kKind = "dino feature store";

std::string_view dtype_word(format::DType dtype) {
  return dtype == format::DType::F16 ? "f16" : "f32";
}

Feature feature_named(const std::string& word) {
  for (const auto& [feature, name] : kFeatureWords)
    if (name == word) return feature;
  throw std::invalid_argument(fmt::format("there is no feature \"{}\"", word));
}

Json header_json(const StoreHeader& header) {
  Json features = Json::array();
  for (const Feature feature : header.features) features.push_back(name_of(feature));
  return {{"network", parse_json_if_valid(header.network).value_or(header.network)},
          {"weights_hash", header.weights_hash},
          {"precision", header.precision},
          {"features", features},
          {"dtype", dtype_word(header.dtype)},
          {"dim", header.dim},
          {"registers", header.registers},
          {"patch_size", header.patch_size},
          {"shard_rows", header.shard_rows}};
}

/** Keys that stores of earlier versions lack get their defaults. */
StoreHeader as_written_now(StoreHeader header) {
  try {
    header.network = arch::to_json(arch::network_from_json(header.network, "the store"));
  } catch (const Error&) {
    // Unknown descriptions are compared as text.
  }
  return header;
}

StoreHeader header_from(const Json& json) {
  StoreHeader header;
  const Json& network = json.at("network");
  header.network = network.is_string() ? network.get<std::string>() : dump_json(network);
  json.at("weights_hash").get_to(header.weights_hash);
  json.at("precision").get_to(header.precision);
  header.features.clear();
  for (const Json& word : json.at("features")) {
    header.features.push_back(feature_named(word.get<std::string>()));
    const auto count = header.features.size();
    if (count > 1 && header.features[count - 2] >= header.features[count - 1])
      throw std::invalid_argument("its features are out of order");
  }
  const auto dtype = json.at("dtype").get<std::string>();
  if (dtype != "f32" && dtype != "f16")
    throw std::invalid_argument(fmt::format("dtype \"{}\" is unknown", dtype));
  header.dtype = dtype == "f16" ? format::DType::F16 : format::DType::F32;
  json.at("dim").get_to(header.dim);
  json.at("registers").get_to(header.registers);
  json.at("patch_size").get_to(header.patch_size);
  json.at("shard_rows").get_to(header.shard_rows);
  const auto between = [](std::int64_t value, std::int64_t low) {
    return value >= low && value <= std::int64_t{1} << 40;
  };
  if (header.features.empty() || !between(header.dim, 1) || !between(header.registers, 0) ||
      !between(header.patch_size, 1) || !between(header.shard_rows, 1))
    throw std::invalid_argument("a number is out of range");
  return header;
}

/** Formats a JSON pointer for messages: "pointer.to.key". */
std::string key_of(std::string pointer) {
  std::replace(pointer.begin(), pointer.end(), '/', '.');
  return pointer.substr(1);
}

// JSON cannot have bytes that are not UTF-8: `path` is then for display and `path_hex` has the
// bytes.
void put_path(Json& line, std::string_view path) {
  line["path"] = printable(path);
  if (is_utf8(path) && printable(path) == path) return;
  std::string hex;
  for (const char c : path) hex += fmt::format("{:02x}", static_cast<unsigned char>(c));
  line["path_hex"] = hex;
}

std::string path_of(const Json& line) {
  const auto hex = line.find("path_hex");
  if (hex == line.end()) return line.at("path").get<std::string>();
  const auto digits = hex->get<std::string>();
  std::string path;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
    unsigned value = 0;
    const char* end = digits.data() + i + 2;
    if (std::from_chars(digits.data() + i, end, value, 16).ptr != end)
      throw std::invalid_argument("path_hex is no hexadecimal number");
    path += static_cast<char>(value);
  }
  return path;
}

/** Calls use(json, number) for the first `count` lines; returns their bytes. */
template <typename Use>
std::int64_t for_each_line(const std::filesystem::path& path, std::int64_t count, const Use& use) {
  if (count == 0) return 0;
  const std::string text = read_text_file(path);
  std::size_t begin = 0;
  for (std::int64_t number = 0; number < count; ++number) {
    const std::size_t end = text.find('\n', begin);
    if (end == std::string::npos)
      fail(ErrorKind::Format,
           "[feature store] {} is cut short: {} lines, store.json counts {}; put the file back or "
           "start again with --force",
           printable(path), number, count);
    const std::string_view line = std::string_view(text).substr(begin, end - begin);
    try {
      use(parse_json(line, "read JSON", "the line"), number);
    } catch (const std::exception& error) {
      fail(ErrorKind::Format, "[feature store] {}:{} is damaged: {}", printable(path), number + 1,
           printable(std::string_view(error.what())));
    }
    begin = end + 1;
  }
  return static_cast<std::int64_t>(begin);
}

}  // namespace

std::string_view name_of(Feature feature) {
  for (const auto& [value, word] : kFeatureWords)
    if (value == feature) return word;
  DINO_ASSERT(false);
}

std::vector<Feature> features_named(std::span<const std::string> words) {
  std::vector<Feature> features;
  for (const auto& [feature, word] : kFeatureWords)
    if (std::ranges::find(words, word) != words.end()) features.push_back(feature);
  return features;
}

Json to_json(const StoreDescription& description) {
  Json json = header_json(description.header);
  json["version"] = kVersion;
  json["kind"] = kKind;
  json["kernels"] = description.kernels;
  json["sources"] = Json::array();
  for (const auto& source : description.sources) json["sources"].push_back(printable(source));
  json["classes"] = Json::array();
  for (const auto& name : description.class_names) json["classes"].push_back(printable(name));
  json["images"] = description.images;
  json["bad_images"] = description.bad_images;
  return json;
}

StoreDescription read_description(const StoreLayout& layout) {
  const auto path = layout.description();
  const Json json = read_json_file(path);
  try {
    if (json.at("kind").get<std::string>() != kKind)
      throw std::invalid_argument("it describes something else");
    if (json.at("version").get<int>() != kVersion)
      throw std::invalid_argument("it was written by a newer version of this program");
    StoreDescription description;
    description.header = header_from(json);
    if (json.contains("kernels"))
      json.at("kernels").get_to(description.kernels);
    else if (description.header.precision != "fp32")  // of a version that wrote what was asked for
      description.header.precision += " was asked for, what was computed is not known";
    json.at("sources").get_to(description.sources);
    json.at("classes").get_to(description.class_names);
    json.at("images").get_to(description.images);
    json.at("bad_images").get_to(description.bad_images);
    if (description.images < 0 || description.bad_images < 0)
      throw std::invalid_argument("a count is below 0");
    return description;
  } catch (const std::exception& error) {
    fail(ErrorKind::Format, "[feature store] {} cannot be used: {}", printable(path), error.what());
  }
}

std::vector<std::string> differences(const StoreHeader& there, const StoreHeader& here) {
  const Json old_keys = header_json(as_written_now(there)).flatten(),
             new_keys = header_json(as_written_now(here)).flatten();
  std::vector<std::string> found;
  const auto text = [](const Json& keys, const std::string& key) {
    return keys.contains(key) ? dump_json(keys.at(key)) : std::string("nothing");
  };
  Json all = old_keys;
  all.update(new_keys);
  for (const auto& [key, value] : all.items())
    if (text(old_keys, key) != text(new_keys, key))
      found.push_back(fmt::format("{}: {} in the store, {} now", key_of(key), text(old_keys, key),
                                  text(new_keys, key)));
  return found;
}

std::string index_line(const StoreRow& row, std::int64_t number, const StoreDescription& store) {
  Json line = {{"row", number},
               {"width", row.width},
               {"height", row.height},
               {"grid", {row.grid_height, row.grid_width}}};
  put_path(line, row.path);
  if (row.label >= 0) {
    line["label"] = row.label;
    line["class"] = printable(store.class_names.at(static_cast<std::size_t>(row.label)));
  }
  if (store.header.features.back() == Feature::Patches) line["patch_row"] = row.patch_row;
  return dump_json(line) + "\n";
}

std::string bad_line(std::string_view path, std::string_view reason) {
  Json line = {{"reason", printable(reason)}};
  put_path(line, path);
  return dump_json(line) + "\n";
}

IndexPart read_index(const StoreLayout& layout, const StoreDescription& store) {
  IndexPart part;
  const bool has_patches = store.header.features.back() == Feature::Patches;
  std::int64_t patch_row = 0;
  part.bytes =
      for_each_line(layout.index(), store.images, [&](const Json& line, std::int64_t number) {
        StoreRow row{.path = path_of(line), .label = line.value("label", std::int64_t{-1})};
        line.at("width").get_to(row.width);
        line.at("height").get_to(row.height);
        line.at("grid").at(0).get_to(row.grid_height);
        line.at("grid").at(1).get_to(row.grid_width);
        if (row.width < 1 || row.height < 1 || row.grid_height < 0 || row.grid_width < 0 ||
            row.label >= static_cast<std::int64_t>(store.class_names.size()))
          throw std::invalid_argument("a number is out of range");
        if (number % store.header.shard_rows == 0) patch_row = 0;
        row.patch_row = patch_row;
        patch_row += row.patches();
        if (line.at("row").get<std::int64_t>() != number ||
            (has_patches && line.at("patch_row").get<std::int64_t>() != row.patch_row))
          throw std::invalid_argument("lines are missing or out of order");
        part.rows.push_back(std::move(row));
      });
  return part;
}

BadPart read_bad(const StoreLayout& layout, std::int64_t count) {
  BadPart part;
  part.bytes = for_each_line(layout.bad(), count, [&](const Json& line, std::int64_t) {
    part.paths.push_back(path_of(line));
  });
  return part;
}

}  // namespace dino::embed
