#include "cli/torch/convert_onnx.h"

#include <filesystem>

#include "dino/base/error.h"
#include "dino/base/text.h"
#include "dino/model/backbone_file.h"
#include "dino/model/onnx_check.h"
#include "dino/onnx/export.h"
#include "dino/onnx/file.h"

namespace dino::cli {
namespace {

namespace fs = std::filesystem;

/** cls [batch, 384] */
std::string text_of(const onnx::Port& port) {
  std::vector<std::string> sizes;
  for (const onnx::Dimension& dimension : port.shape) {
    const auto* size = std::get_if<std::int64_t>(&dimension);
    sizes.push_back(size != nullptr ? std::to_string(*size) : std::get<std::string>(dimension));
  }
  return fmt::format("{} [{}]", port.name, fmt::join(sizes, ", "));
}

std::vector<std::string> texts_of(const std::vector<onnx::Port>& ports) {
  std::vector<std::string> texts;
  for (const onnx::Port& port : ports) texts.push_back(text_of(port));
  return texts;
}

}  // namespace

std::string convert_to_onnx(const weights::Weights& weights, const std::string& out,
                            onnx::Storage storage, bool force, nlohmann::json& result) {
  const fs::path path = out, data = out + ".data";
  if (!out.empty() && path.extension() != ".onnx")
    fail(ErrorKind::Usage, "[convert] {}: --to onnx writes a file whose name ends in .onnx",
         printable(path));
  check_output_free(out, force);
  check_output_free(data.string(), force);
  const onnx::Graph graph = onnx::make_graph(weights, storage);
  model::OnnxAgreement agreement;
  onnx::write(path, graph, [&](const onnx::Graph& written) {
    agreement = model::compare(written, *model::make_backbone(weights), weights.network);
    if (!agreement.good())
      fail(
          ErrorKind::Internal,
          "[convert] the ONNX graph does not compute what this network does (lowest cosine {:.6f}, "
          "largest difference {:.2g}), so it was not kept{}",
          agreement.cosine, agreement.difference,
          storage == onnx::Storage::Fp16 ? "; its weights may need fp32" : "");
  });
  const bool external = onnx::constant_bytes(graph) > onnx::WriteOptions{}.inline_bytes;
  if (!external) fs::remove(data);  // of an earlier, larger network; --force was given
  const auto bytes = fs::file_size(path) + (external ? fs::file_size(data) : 0);
  result["out"] = printable(path);
  if (external) result["data"] = printable(data);
  result["bytes"] = bytes;
  result["opset"] = onnx::kOpset;
  result["inputs"] = texts_of(graph.inputs);
  result["outputs"] = texts_of(graph.outputs);
  result["cosine"] = agreement.cosine;
  result["difference"] = agreement.difference;
  return fmt::format(
      "{}{}: {:.1f} MB, opset {}\n  {} -> {}\n  checked by libonnx; lowest cosine with our "
      "features "
      "{:.7f}, largest difference {:.2g} of their norm\n",
      printable(path), external ? " and " + printable(data.filename()) : "",
      static_cast<double>(bytes) / 1e6, onnx::kOpset, text_of(graph.inputs[0]),
      fmt::join(texts_of(graph.outputs), ", "), agreement.cosine, agreement.difference);
}

}  // namespace dino::cli
