#include "dino/weights/write.h"

#include <algorithm>

#include "dino/base/error.h"
#include "dino/base/json.h"
#include "dino/base/text.h"
#include "dino/weights/container.h"
#include "dino/weights/disassemble.h"
#include "dino/weights/generation.h"
#include "dino/weights/hf_config.h"
#include "dino/weights/preprocessor_config.h"

namespace dino::weights {
namespace {

namespace fs = std::filesystem;

const Head* find_classifier(const Weights& weights) {
  const auto found = std::ranges::find(weights.heads, kClassifier, &Head::name);
  return found == weights.heads.end() ? nullptr : &*found;
}

/** The head if transformers' Dinov2ForImageClassification can store it, else null. */
const Head* hf_classifier(const Weights& weights) {
  const arch::Architecture& a = weights.network.architecture;
  const Head* head = find_classifier(weights);
  const bool fits = head != nullptr && head->shape.bias && a.family == arch::Family::Vit &&
                    a.vit.layer_scale && generation_of(a) == Generation::DinoV2 &&
                    classifier_input(a, head->shape.in_dim) == "cls+mean";
  return fits ? head : nullptr;
}

void write_dino(const fs::path& path, const Weights& weights) {
  if (path.extension() != ".safetensors")
    fail(ErrorKind::Usage, "[convert] {}: our own weights are .safetensors files", printable(path));
  Output out;
  add_backbone(weights, Layout::Dino, "", out);
  for (const Head& head : weights.heads) add_head(head, head.name + ".", out);
  write_container(path, out.records(),
                  {{"format", "pt"}, {"dino", arch::to_json(weights.network)}});
}

void write_hf(const fs::path& path, const Weights& weights) {
  if (is_torch_path(path) || path.extension() == ".safetensors")
    fail(ErrorKind::Usage, "[convert] {}: transformers' form is a folder; name one",
         printable(path));
  const arch::Architecture& a = weights.network.architecture;
  nlohmann::json config = hf_config(a);
  Output out;
  if (const Head* head = hf_classifier(weights)) {
    add_hf_classes(head->shape.outputs, config);
    add_backbone(weights, Layout::HuggingFace, config["model_type"].get<std::string>() + ".", out);
    add_head(*head, "classifier.", out);
  } else {
    add_backbone(weights, Layout::HuggingFace, "", out);
  }
  std::error_code error;
  fs::create_directories(path, error);
  if (error)
    fail(ErrorKind::Io, "[convert] cannot make folder {}: {}", printable(path), error.message());
  write_container(path / "model.safetensors", out.records());
  write_json_file(path / "config.json", config);
  write_json_file(path / "preprocessor_config.json",
                  preprocessor_config(weights.network.preprocess));
}

}  // namespace

std::vector<std::string> losses(const Weights& weights, Layout layout) {
  std::vector<std::string> lost = backbone_losses(weights, layout);
  if (layout == Layout::Dino)
    lost.insert(lost.end(), weights.unusable_heads.begin(), weights.unusable_heads.end());
  return lost;
}

std::vector<std::string> left_out_heads(const Weights& weights, Layout layout) {
  std::vector<std::string> names;
  if (layout == Layout::Dino) return names;
  for (const Head& head : weights.heads)
    if (layout != Layout::HuggingFace || &head != hf_classifier(weights))
      names.push_back(head.name);
  return names;
}

void write(const fs::path& path, const Weights& weights, const WriteOptions& options) {
  if (const auto lost = losses(weights, options.layout); !lost.empty() && !options.allow_loss)
    fail(ErrorKind::Usage, "[convert] {} names cannot hold: {}; --allow-loss converts without",
         name_of(options.layout), fmt::join(lost, ", "));
  switch (options.layout) {
    case Layout::Dino:
      return write_dino(path, weights);
    case Layout::HuggingFace:
      return write_hf(path, weights);
    case Layout::Official:
    case Layout::Timm: {
      Output out;
      add_backbone(weights, options.layout, "", out);
      return write_container(path, out.records());
    }
  }
}

void write_classifier(const fs::path& path, const Weights& weights) {
  const Head* head = find_classifier(weights);
  if (head == nullptr)
    fail(ErrorKind::Usage, "[convert] these weights have no classifier; --heads FILE adds one");
  Output out;
  if (generation_of(weights.network.architecture) != Generation::Dino) {
    add_head(*head, "", out);
    return write_container(path, out.records());
  }
  add_head(*head, "module.linear.", out);
  write_container(path, std::vector<format::TorchEntry>{{"state_dict", out.records()}});
}

}  // namespace dino::weights
