#include "dino/model/weights.h"

#include <ATen/CPUGeneratorImpl.h>
#include <torch/torch.h>

#include <algorithm>
#include <filesystem>

#include "dino/base/error.h"
#include "dino/base/json.h"
#include "dino/format/safetensors.h"
#include "dino/recipe/recipe_fields.h"

namespace dino::model {
namespace {

constexpr const char* kMetadataKey = "dino";
constexpr int kVersion = 1;

nlohmann::json to_json(const WeightsInfo& info) {
  nlohmann::json backbone;
  recipe::visit_fields(info.backbone, [&](const char* key, const auto& value, const auto&) {
    backbone[key] = value;
  });
  return {{"version", kVersion},           {"backbone", backbone}, {"channels", info.channels},
          {"image_size", info.image_size}, {"mean", info.mean},    {"std", info.std}};
}

WeightsInfo from_json(const nlohmann::json& json) {
  WeightsInfo info;
  if (json.at("version").get<int>() != kVersion) {
    throw std::invalid_argument("it was written by a newer version of this program");
  }
  recipe::visit_fields(info.backbone, [&](const char* key, auto& value, const auto&) {
    json.at("backbone").at(key).get_to(value);
  });
  json.at("channels").get_to(info.channels);
  json.at("image_size").get_to(info.image_size);
  json.at("mean").get_to(info.mean);
  json.at("std").get_to(info.std);
  return info;
}

/** Parameters and buffers under their official names. */
std::vector<std::pair<std::string, torch::Tensor>> named_tensors(const Backbone& backbone) {
  std::vector<std::pair<std::string, torch::Tensor>> all;
  for (const auto& item : backbone.named_parameters()) all.emplace_back(item.key(), item.value());
  for (const auto& item : backbone.named_buffers()) all.emplace_back(item.key(), item.value());
  return all;
}

format::DType record_type(const torch::Tensor& tensor) {
  return tensor.scalar_type() == torch::kInt64 ? format::DType::I64 : format::DType::F32;
}

/** A run directory stands for the teacher it ended with. */
std::filesystem::path weights_file(const std::string& path) {
  if (!std::filesystem::is_directory(path)) return path;
  const auto inside = std::filesystem::path(path) / "weights" / "backbone_teacher.safetensors";
  if (!std::filesystem::exists(inside)) {
    fail(ErrorKind::Io,
         "[load_backbone] {}: no weights/backbone_teacher.safetensors in this folder; give a "
         "weights file or a run that has saved weights",
         path);
  }
  return inside;
}

}  // namespace

void save_backbone(const std::string& path, const Backbone& backbone, const WeightsInfo& info) {
  std::vector<format::TensorRecord> records;
  std::vector<torch::Tensor> alive;
  for (const auto& [name, tensor] : named_tensors(backbone)) {
    alive.push_back(tensor.detach().contiguous());
    records.push_back(
        {name,
         record_type(tensor),
         tensor.sizes().vec(),
         {static_cast<const std::byte*>(alive.back().data_ptr()), alive.back().nbytes()}});
  }
  format::write_safetensors(path, records,
                            {{kMetadataKey, dump_json(to_json(info))}, {"format", "pt"}});
}

std::pair<std::shared_ptr<Backbone>, WeightsInfo> load_backbone(const std::string& path) {
  const auto file_path = weights_file(path);
  const format::SafetensorsFile file(file_path);
  const auto shown = file_path.string();
  const auto metadata = file.metadata().find(kMetadataKey);
  if (metadata == file.metadata().end()) {
    fail(ErrorKind::Format,
         "[load_backbone] {}: no \"{}\" entry in the metadata, so its architecture is unknown; was "
         "it written by dino train?",
         shown, kMetadataKey);
  }
  WeightsInfo info;
  try {
    info = from_json(parse_json(metadata->second, "load_backbone", shown));
  } catch (const std::exception& error) {
    fail(ErrorKind::Format, "[load_backbone] {}: metadata cannot be used: {}", shown, error.what());
  }
  auto backbone = make_backbone(info.backbone, info.channels, info.image_size, 0.0,
                                at::detail::createCPUGenerator(0));
  const torch::NoGradGuard no_grad;
  std::vector<std::string> problems;
  const auto wanted = named_tensors(*backbone);
  for (const auto& [name, tensor] : wanted) {
    const auto* record = file.find(name);
    if (record == nullptr) {
      problems.push_back(name + " is missing");
    } else if (record->shape != tensor.sizes().vec() || record->dtype != record_type(tensor)) {
      problems.push_back(
          fmt::format("{} is {} [{}], expected [{}]", name, format::dtype_name(record->dtype),
                      fmt::join(record->shape, ", "), fmt::join(tensor.sizes().vec(), ", ")));
    } else {
      std::memcpy(tensor.data_ptr(), record->bytes.data(), record->bytes.size());
    }
  }
  if (file.tensors().size() > wanted.size() && problems.empty()) {
    problems.push_back(
        fmt::format("{} tensors are not expected", file.tensors().size() - wanted.size()));
  }
  if (!problems.empty()) {
    problems.resize(std::min<std::size_t>(problems.size(), 8));
    fail(ErrorKind::Format, "[load_backbone] {}: tensors do not fit {}: {}", shown,
         info.backbone.arch, fmt::join(problems, "; "));
  }
  backbone->eval();
  for (auto& parameter : backbone->parameters()) parameter.set_requires_grad(false);
  return {backbone, info};
}

}  // namespace dino::model
