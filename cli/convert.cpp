// dino convert: weights from any published form to any other, checked by reading them back, or to
// an ONNX graph.
#include <filesystem>
#include <memory>

#include "cli/commands.h"
#include "cli/convert_onnx.h"
#include "cli/network.h"
#include "cli/weights_summary.h"
#include "dino/base/error.h"
#include "dino/base/text.h"
#include "dino/model/onnx_check.h"
#include "dino/model/weights.h"
#include "dino/weights/read.h"
#include "dino/weights/write.h"

namespace dino::cli {
namespace {

namespace fs = std::filesystem;

struct ConvertFlags {
  std::string weights, out;
  std::string to = "dino", precision = "fp32";
  weights::ReadOptions read;
  bool allow_loss = false, force = false, dry_run = false;
};

/** Largest difference between two networks' features of the probe image, over their norm. */
double feature_difference(const weights::Weights& a, const weights::Weights& b) {
  const arch::Architecture& architecture = a.network.architecture;
  const std::int64_t p = architecture.patch_size();
  const std::int64_t side = std::max<std::int64_t>(p, a.network.preprocess.image_size / p * p);
  const torch::Tensor image = model::probe_images(1, architecture.channels, side, side);
  const auto one = model::make_backbone(a)->forward_features(image);
  const auto other = model::make_backbone(b)->forward_features(image);
  const auto distance = [](const torch::Tensor& x, const torch::Tensor& y) {
    return ((x - y).abs().max() / x.norm(2, -1).mean()).item<double>();
  };
  return std::max(distance(one.cls, other.cls), distance(one.patches, other.patches));
}

/** Tensors whose bytes differ. */
std::vector<std::string> changed_tensors(const weights::Weights& a, const weights::Weights& b) {
  std::vector<std::string> changed;
  std::map<std::string, const format::TensorRecord*> others;
  for (const auto& tensor : b.tensors) others[tensor.name] = &tensor;
  for (const auto& tensor : a.tensors) {
    const auto found = others.find(tensor.name);
    const bool zero =
        std::ranges::all_of(tensor.bytes, [](std::byte byte) { return byte == std::byte{0}; });
    if (found == others.end() && zero) continue;  // what a form leaves out where it is zero
    if (found == others.end() || found->second->dtype != tensor.dtype ||
        !std::ranges::equal(found->second->bytes, tensor.bytes))
      changed.push_back(tensor.name);
  }
  return changed;
}

int run_convert(const ConvertFlags& flags, Context& context) {
  if (flags.weights.empty())
    fail(ErrorKind::Usage, "--weights is missing: name a weights file, a folder or a run");
  const bool to_onnx = flags.to == "onnx";
  if (flags.precision != "fp32" && !to_onnx)
    fail(ErrorKind::Usage,
         "--precision is for --to onnx; the other forms keep what they are given");
  const weights::Layout layout =
      to_onnx ? weights::Layout::Dino : weights::layout_from_name(flags.to);
  const weights::Weights source = weights::read(flags.weights, flags.read);
  nlohmann::json result = weights_summary(source);
  std::string text = weights_text(result);
  if (to_onnx) {
    const auto storage = flags.precision == "fp16" ? onnx::Storage::Fp16 : onnx::Storage::Fp32;
    if (!flags.dry_run) text += convert_to_onnx(source, flags.out, storage, flags.force, result);
    print_result(context, result, text);
    return kOk;
  }
  const auto lost = weights::losses(source, layout);
  result["lost"] = lost;
  if (!lost.empty())
    text += fmt::format("  {} names cannot hold: {}\n", flags.to, fmt::join(lost, ", "));
  if (!flags.dry_run) {
    check_output_free(flags.out, flags.force);
    weights::write(flags.out, source, {.layout = layout, .allow_loss = flags.allow_loss});
    const weights::Weights back = weights::read(flags.out);
    const auto changed = changed_tensors(source, back);
    const double difference = feature_difference(source, back);
    result["out"] = printable(flags.out);
    result["changed"] = changed;
    result["feature_difference"] = difference;
    text += fmt::format(
        "{}: read back, {}; features of a probe image differ by {:.2g} of their norm\n",
        printable(flags.out),
        changed.empty()
            ? "every tensor equal bit for bit"
            : fmt::format("{} tensors changed: {}", changed.size(), fmt::join(changed, ", ")),
        difference);
    if (lost.empty() && !(difference <= 1e-5))
      fail(ErrorKind::Internal, "[convert] {}: the features changed by {:.2g}; do not use the file",
           printable(flags.out), difference);
  }
  print_result(context, result, text);
  return kOk;
}

}  // namespace

void add_convert(CLI::App& parent, Context& context) {
  auto flags = std::make_shared<ConvertFlags>();
  CLI::App* command =
      add_command(parent, context, "convert", "Convert weights between their published forms",
                  [flags, &context] { return run_convert(*flags, context); });
  command->add_option("--weights", flags->weights,
                      "Weights of any form: .pth, .safetensors, a Hugging Face folder, a run");
  command
      ->add_option("--to", flags->to,
                   "dino (ours), official (the papers' names), hf (a transformers folder), timm, "
                   "onnx (a graph: images in, features out)")
      ->check(CLI::IsMember({"dino", "official", "hf", "timm", "onnx"}))
      ->capture_default_str();
  command->add_option("--out", flags->out, "File, or folder for hf");
  command
      ->add_option("--precision", flags->precision,
                   "Of the matrices in an ONNX file: fp32, or fp16 for half its size")
      ->check(CLI::IsMember({"fp32", "fp16"}))
      ->capture_default_str();
  add_read_flags(*command, flags->read);
  command->add_flag("--allow-loss", flags->allow_loss, "Leave out what the form cannot hold");
  command->add_flag("--dry-run", flags->dry_run, "Say what would be converted, write nothing");
  command->add_flag("--force", flags->force, "Replace a file that is there");
}

}  // namespace dino::cli
