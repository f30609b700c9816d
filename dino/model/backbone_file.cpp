#include "dino/model/backbone_file.h"

#include <torch/types.h>

#include <map>

#include "dino/base/error.h"
#include "dino/format/safetensors.h"
#include "dino/model/tensor_bridge.h"

namespace dino::model {
namespace {

/** Parameters and buffers under their canonical names. */
std::vector<std::pair<std::string, torch::Tensor>> named_tensors(const Backbone& backbone) {
  std::vector<std::pair<std::string, torch::Tensor>> all;
  for (const auto& item : backbone.named_parameters()) all.emplace_back(item.key(), item.value());
  for (const auto& item : backbone.named_buffers()) all.emplace_back(item.key(), item.value());
  return all;
}

}  // namespace

void save_backbone(const std::filesystem::path& path, const Backbone& backbone,
                   const arch::Network& network) {
  std::vector<format::TensorRecord> records;
  std::vector<torch::Tensor> alive;
  for (const auto& [name, tensor] : named_tensors(backbone)) {
    alive.push_back(tensor.detach().contiguous());
    records.push_back(to_record(name, alive.back()));
  }
  format::write_safetensors(path, records, {{"dino", arch::to_json(network)}, {"format", "pt"}});
}

std::shared_ptr<Backbone> make_backbone(const weights::Weights& weights) {
  weights::require_finite(weights);
  auto backbone = make_backbone(weights.network.architecture, {}, {});
  std::map<std::string, const format::TensorRecord*> by_name;
  for (const auto& record : weights.tensors) by_name.emplace(record.name, &record);
  const torch::NoGradGuard no_grad;
  for (auto& [name, tensor] : named_tensors(*backbone)) {
    const auto found = by_name.find(name);
    DINO_ASSERT(found != by_name.end() && found->second->shape == tensor.sizes().vec());
    tensor.set_data(borrow(*found->second).to(tensor.scalar_type()));
  }
  backbone->set_mapped_files(weights.mapped);
  backbone->freeze();
  return backbone;
}

LoadedBackbone load_backbone(const std::filesystem::path& path,
                             const weights::ReadOptions& options) {
  const weights::Weights weights = weights::read(path, options);
  return {make_backbone(weights), weights.network, weights.notes};
}

}  // namespace dino::model
