// Leaves out: checking metadata.total_size, which tied weights make differ between writers.
#include "dino/format/sharded_safetensors.h"

#include <set>

#include "dino/base/error.h"
#include "dino/base/json.h"
#include "dino/base/text.h"
#include "dino/format/safetensors.h"

namespace dino::format {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kOperation = "read safetensors index";
constexpr std::size_t kMaxFiles = 10'000;

template <typename... Args>
[[noreturn]] void refuse(std::string_view name, fmt::format_string<Args...> format,
                         Args&&... args) {
  fail(ErrorKind::Format, "[{}] {}: {}", kOperation, printable(name),
       fmt::format(format, std::forward<Args>(args)...));
}

std::string shown(std::string_view text) {
  return printable(text.substr(0, 100));
}

/** Whether this is a file name without folders, and not "." or "..". */
bool is_plain_file_name(std::string_view file) {
  return !file.empty() && file != "." && file != ".." && file.size() <= 255 &&
         file.find_first_of(std::string_view("/\\\0", 3)) == file.npos;
}

/** Throws unless the file has exactly the tensors that the index lists. */
void check_shard(std::string_view name, const std::string& file, const SafetensorsFile& shard,
                 const SafetensorsIndex& index) {
  std::set<std::string_view> held;
  for (const TensorRecord& record : shard.tensors()) {
    const auto entry = index.weight_map.find(record.name);
    if (entry == index.weight_map.end()) {
      refuse(name, "'{}' holds '{}', which the index does not list", shown(file),
             shown(record.name));
    }
    if (entry->second != file) {
      refuse(name, "'{}' holds '{}', which should be in '{}'", shown(file), shown(record.name),
             shown(entry->second));
    }
    held.insert(record.name);
  }
  for (const auto& [tensor, home] : index.weight_map) {
    if (home == file && !held.contains(tensor)) {
      refuse(name, "'{}' should hold '{}' but does not", shown(file), shown(tensor));
    }
  }
}

}  // namespace

SafetensorsIndex parse_safetensors_index(std::string_view json, std::string_view name) {
  const Json parsed = parse_json(json, kOperation, name);
  if (!parsed.is_object() || !parsed.contains("weight_map") || !parsed["weight_map"].is_object()) {
    refuse(name, "has no weight_map; is it the index of a safetensors model?");
  }
  SafetensorsIndex index;
  std::set<std::string> files;
  for (const auto& [tensor, file] : parsed["weight_map"].items()) {
    if (!file.is_string() || !is_plain_file_name(file.get_ref<const std::string&>())) {
      refuse(name, "'{}' is said to be in {}, which is not the name of a file beside the index",
             shown(tensor), shown(dump_json(file)));
    }
    index.weight_map[tensor] = file.get<std::string>();
    files.insert(file.get<std::string>());
    if (files.size() > kMaxFiles) refuse(name, "names more than {} files", kMaxFiles);
  }
  if (index.weight_map.empty()) refuse(name, "the weight_map is empty");
  if (const auto metadata = parsed.find("metadata"); metadata != parsed.end()) {
    if (!metadata->is_object()) refuse(name, "metadata is not an object");
    for (const auto& [key, value] : metadata->items()) {
      index.metadata[key] = value.is_string() ? value.get<std::string>() : dump_json(value);
    }
  }
  return index;
}

ShardedSafetensors::ShardedSafetensors(const std::filesystem::path& path) {
  const std::string name = path.native();
  SafetensorsIndex index;
  {
    const MappedFile file = map_file(path);
    if (file.bytes.size() > kMaxSafetensorsHeaderBytes) {
      refuse(name, "{} bytes are too many for an index", file.bytes.size());
    }
    index = parse_safetensors_index(
        {reinterpret_cast<const char*>(file.bytes.data()), file.bytes.size()}, name);
  }
  std::set<std::string> files;
  for (const auto& [tensor, file] : index.weight_map) files.insert(file);
  std::vector<TensorRecord> tensors;
  for (const std::string& file : files) {
    const std::filesystem::path shard_path = path.parent_path() / file;
    std::error_code ignored;
    if (!std::filesystem::exists(shard_path, ignored)) {
      refuse(name, "names '{}', which is not beside it; are all files downloaded?", shown(file));
    }
    const SafetensorsFile shard(shard_path);
    check_shard(name, file, shard, index);
    tensors.insert(tensors.end(), shard.tensors().begin(), shard.tensors().end());
    mapped_.insert(mapped_.end(), shard.mapped().begin(), shard.mapped().end());
  }
  tensors_ = TensorTable(std::move(tensors));
  metadata_ = std::move(index.metadata);
}

}  // namespace dino::format
