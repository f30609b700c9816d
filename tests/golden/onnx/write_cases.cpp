// Writes networks with synthetic weights as ONNX files, each with images of several sizes and the
// features our own network gives for them: what check_runtimes.py compares other runtimes with.
//
//   onnx_cases FOLDER [--fp16] NAME...     NAME: of the zoo, or "tiny" for every option in small
#include <fmt/format.h>
#include <torch/types.h>

#include <cstdio>
#include <filesystem>

#include "dino/arch/zoo.h"
#include "dino/format/safetensors.h"
#include "dino/model/backbone_file.h"
#include "dino/model/onnx_check.h"
#include "dino/model/tensor_bridge.h"
#include "dino/onnx/export.h"
#include "dino/onnx/file.h"
#include "tests/onnx/fake_weights.h"

namespace dino {
namespace {

struct Size {
  std::int64_t batch, height, width;
};

void write_case(const std::filesystem::path& folder, const arch::Network& network,
                onnx::Storage storage) {
  const arch::Architecture& a = network.architecture;
  const weights::Weights weights = test::fake_weights(network);
  const auto backbone = model::make_backbone(weights);
  const std::int64_t side = network.preprocess.image_size, p = a.patch_size();
  onnx::write(folder / (a.name + ".onnx"), onnx::make_graph(weights, storage),
              [&](const onnx::Graph& graph) {
                const auto agreement = model::compare(graph, *backbone, network);
                fmt::print("{}: evaluator cosine {:.9f}, difference {:.2g}\n", a.name,
                           agreement.cosine, agreement.difference);
              });
  std::vector<torch::Tensor> alive;
  std::vector<format::TensorRecord> records;
  const auto add = [&](const std::string& name, const torch::Tensor& tensor) {
    alive.push_back(tensor.contiguous());
    records.push_back(model::to_record(name, alive.back()));
  };
  const std::int64_t table = a.image_size / p * p;  // where a learned table is used as it is
  for (const Size& size : {Size{1, side, side}, Size{3, side, side}, Size{1, table, table},
                           Size{1, side + 2 * p + 5, side + 2 * p + 5},  // odd
                           Size{3, side + p, side / 2 + p + 3},          // neither
                           Size{1, side / 2 + p, 2 * side}}) {
    const std::string prefix = fmt::format("{}x{}x{}.", size.batch, size.height, size.width);
    if (!records.empty() && size.height == side && size.width == side && size.batch == 1) continue;
    const torch::Tensor images =
        model::probe_images(size.batch, a.channels, size.height, size.width);
    const model::Features features = backbone->forward_features(images);
    add(prefix + "images", images);
    add(prefix + "cls", features.cls);
    add(prefix + "patches", features.patches);
    if (features.registers.defined()) add(prefix + "registers", features.registers);
  }
  format::write_safetensors(folder / (a.name + ".safetensors"), records);
}

}  // namespace
}  // namespace dino

int main(int count, char** arguments) try {
  std::vector<std::string> names(arguments + 1, arguments + count);
  const auto storage =
      std::erase(names, "--fp16") > 0 ? dino::onnx::Storage::Fp16 : dino::onnx::Storage::Fp32;
  if (names.size() < 2) {
    fmt::print(stderr, "usage: onnx_cases FOLDER [--fp16] NAME...\n");
    return 2;
  }
  const std::filesystem::path folder = names[0];
  std::filesystem::create_directories(folder);
  for (std::size_t i = 1; i < names.size(); ++i) {
    if (names[i] == "tiny") {
      for (const auto& network : dino::test::tiny_networks())
        dino::write_case(folder, network, storage);
    } else {
      dino::write_case(folder, dino::arch::zoo_entry(names[i]).network, storage);
    }
  }
  return 0;
} catch (const std::exception& error) {
  fmt::print(stderr, "onnx_cases: {}\n", error.what());
  return 1;
}
