// dino convert: weights from any published form to any other (torch/convert.cpp).
#include <memory>

#include "cli/commands.h"
#include "cli/network_flags.h"
#include "cli/torch_actions.h"
#include "dino/base/error.h"

namespace dino::cli {
namespace {

int run_convert(const ConvertFlags& flags, Context& context) {
  if (flags.weights.empty())
    fail(ErrorKind::Usage, "--weights is missing: name a weights file, a folder or a run");
  if (flags.precision != "fp32" && flags.to != "onnx")
    fail(ErrorKind::Usage,
         "--precision is for --to onnx; the other forms keep what they are given");
  return torch_actions().convert(flags, context);
}

}  // namespace

void add_convert(CLI::App& parent, Context& context) {
  auto flags = std::make_shared<ConvertFlags>();
  CLI::App* command =
      add_command(parent, context, "convert", "Convert weights between their published forms",
                  [flags, &context] { return run_convert(*flags, context); });
  command->add_option("--weights", flags->weights,
                      "Weights of any form: .pth, .safetensors, a Hugging Face folder, a run or "
                      "a checkpoint of one");
  command
      ->add_option("--to", flags->to,
                   "dino (ours, with heads), official (the papers' backbone file), checkpoint (the "
                   "papers' training checkpoint: teacher, student, heads), classifier (the linear "
                   "head alone), hf (a transformers folder), timm, onnx (a graph: images in, "
                   "features out)")
      ->check(CLI::IsMember({"dino", "official", "checkpoint", "classifier", "hf", "timm", "onnx"}))
      ->capture_default_str();
  command->add_option("--out", flags->out, "File (.safetensors, .pth), or folder for hf");
  command->add_option("--heads", flags->heads,
                      "Heads to put on the backbone: a released linear classifier, a checkpoint");
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
