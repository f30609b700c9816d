// dino convert: weights from any published form to any other, checked by reading them back, or to
// an ONNX graph.
#include <filesystem>

#include "cli/torch/actions.h"
#include "cli/torch/convert_onnx.h"
#include "cli/weights_summary.h"
#include "dino/base/error.h"
#include "dino/base/text.h"
#include "dino/model/backbone_file.h"
#include "dino/model/onnx_check.h"
#include "dino/run/checkpoint_store.h"
#include "dino/run/run_dir.h"
#include "dino/weights/detect.h"
#include "dino/weights/network_pair.h"
#include "dino/weights/read.h"
#include "dino/weights/write.h"

namespace dino::cli {
namespace {

namespace fs = std::filesystem;

/** The output of the command, collected while it runs. */
struct Report {
  nlohmann::json result;
  std::string text;

  void add(std::string_view line) { text += fmt::format("  {}\n", line); }
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

/** All tensors by name; those of heads are prefixed by the head's name. */
std::map<std::string, const format::TensorRecord*> by_name(const weights::Weights& w) {
  std::map<std::string, const format::TensorRecord*> named;
  for (const auto& tensor : w.tensors) named[tensor.name] = &tensor;
  for (const auto& head : w.heads)
    for (const auto& tensor : head.tensors) named[head.name + "." + tensor.name] = &tensor;
  return named;
}

/** Tensors of `a` that are not in `b`, or there with other bytes. */
std::vector<std::string> changed_tensors(const weights::Weights& a, const weights::Weights& b) {
  std::vector<std::string> changed;
  const auto others = by_name(b);
  for (const auto& [name, tensor] : by_name(a)) {
    const auto found = others.find(name);
    if (found == others.end() && weights::all_zero(tensor->bytes))
      continue;  // what a form leaves out where it is zero
    if (found == others.end() || found->second->dtype != tensor->dtype ||
        !std::ranges::equal(found->second->bytes, tensor->bytes))
      changed.push_back(name);
  }
  return changed;
}

/** Loads the written weights with the source's position mode; note_positions() reports the mode
 * that the layout implies. */
weights::ReadOptions read_back_options(const weights::Weights& source, const std::string& network) {
  const arch::Architecture& a = source.network.architecture;
  weights::ReadOptions options;
  options.network = network;
  if (a.family == arch::Family::Vit && a.vit.positions != arch::Positions::Rope)
    options.positions = a.vit.positions;
  return options;
}

void report_losses(const std::vector<std::string>& lost, Report& report) {
  report.result["lost"] = lost;
  for (const std::string& what : lost) report.add(fmt::format("cannot be held: {}", what));
}

/** Notes the preprocessing that a reader of the file would use, if it differs from the source's. */
void note_preprocess(const weights::Weights& source, const weights::Weights& back, Report& report) {
  const auto text = [](const data::Preprocess& p) {
    std::string_view fit;
    for (const auto& [value, word] : data::kFitWords)
      if (value == p.fit) fit = word;
    return fmt::format("{} px, {}, mean {:.4g}, std {:.4g}{}", p.image_size, fit,
                       fmt::join(p.mean, " "), fmt::join(p.std, " "),
                       p.full_range ? ", full range" : "");
  };
  const std::string ours = text(source.network.preprocess), theirs = text(back.network.preprocess);
  if (ours != theirs)
    report.add(
        fmt::format("note: the file does not tell how images are prepared ({}): {} would be "
                    "assumed",
                    ours, theirs));
}

/** Reads one network back and compares tensors and features. `source` lacks the heads that the
 * layout cannot store. */
void compare(const ConvertFlags& flags, const weights::Weights& source, const std::string& network,
             bool lossless, Report& report) {
  weights::Weights back = weights::read(flags.out, read_back_options(source, network));
  arch::Vit& v = back.network.architecture.vit;
  if (v.rope_periods.empty()) v.rope_periods = source.network.architecture.vit.rope_periods;
  const auto changed = changed_tensors(source, back);
  const double difference = feature_difference(source, back);
  report.result["out"] = printable(flags.out);
  report.result["changed"] = changed;
  report.result["feature_difference"] = difference;
  report.text += fmt::format(
      "{}{}: read back, {}; features of a probe image differ by {:.2g} of their norm\n",
      printable(flags.out), flags.to == "checkpoint" ? ", " + network : "",
      changed.empty()
          ? "every tensor equal bit for bit"
          : fmt::format("{} tensors changed: {}", changed.size(), fmt::join(changed, ", ")),
      difference);
  note_preprocess(source, back, report);
  if (lossless && !(changed.empty() && difference <= 1e-5))
    fail(ErrorKind::Internal,
         "[convert] {}: {} tensors and the features (by {:.2g}) changed; do not use the file",
         printable(flags.out), changed.size(), difference);
}

/** Notes if the layout's own library computes positions differently: resamples the table in another
 * way, or computes RoPE's periods instead of reading them. */
void note_positions(const weights::Weights& source, weights::Layout layout, Report& report) {
  const arch::Architecture& a = source.network.architecture;
  if (a.family != arch::Family::Vit || layout == weights::Layout::Dino) return;
  weights::Weights other = source;
  if (!a.vit.rope_periods.empty() && layout != weights::Layout::Official) {
    other.network.architecture.vit.rope_periods.clear();
    const double difference = feature_difference(source, other);
    report.result["position_difference"] = difference;
    report.add(fmt::format(
        "note: the periods of RoPE, as the source holds them, have no place in this form; its "
        "library computes exact ones, and features of a probe image differ by {:.2g} of their norm",
        difference));
    return;
  }
  const arch::Positions theirs = weights::usual_positions(layout, a.vit);
  if (theirs == a.vit.positions) return;
  other.network.architecture.vit.positions = theirs;
  const double difference = feature_difference(source, other);
  report.result["position_difference"] = difference;
  report.add(fmt::format(
      "note: positions of image sizes other than {} px are resampled as {} in this form and {} "
      "here; at {} px features differ by {:.2g} of their norm",
      a.image_size, arch::name_of(theirs), arch::name_of(a.vit.positions),
      source.network.preprocess.image_size, difference));
}

void convert_backbone(const ConvertFlags& flags, weights::Weights source, Report& report) {
  const weights::Layout layout = weights::layout_from_name(flags.to);
  const auto lost = weights::losses(source, layout);
  const auto left_out = weights::left_out_heads(source, layout);
  report_losses(lost, report);
  report.result["left_out"] = left_out;
  if (!left_out.empty())
    report.add(fmt::format("left out: {} (--to dino keeps heads, --to checkpoint projections)",
                           fmt::join(left_out, ", ")));
  if (flags.dry_run) return;
  check_output_free(flags.out, flags.force);
  weights::write(flags.out, source, {.layout = layout, .allow_loss = flags.allow_loss});
  std::erase_if(source.heads, [&](const weights::Head& head) {
    return std::ranges::find(left_out, head.name) != left_out.end();
  });
  compare(flags, source, "teacher", lost.empty(), report);
  note_positions(source, layout, report);
}

void convert_checkpoint(const ConvertFlags& flags, weights::NetworkPair source, Report& report) {
  const auto lost = weights::losses(source);
  report_losses(lost, report);
  report.result["left_out"] = source.left_out;
  if (!source.left_out.empty())
    report.add(fmt::format("not of the networks, left out: {}", fmt::join(source.left_out, ", ")));
  if (flags.dry_run) return;
  check_output_free(flags.out, flags.force);
  weights::write_network_pair(flags.out, source, flags.allow_loss);
  nlohmann::json networks;
  for (const auto& [name, network] : source.networks) {
    compare(flags, network, name, lost.empty(), report);
    networks.push_back(name);
  }
  report.result["networks"] = networks;
}

void convert_classifier(const ConvertFlags& flags, const weights::Weights& source, Report& report) {
  if (flags.dry_run) return;
  check_output_free(flags.out, flags.force);
  weights::write_classifier(flags.out, source);
  weights::Weights expected, back;
  for (const weights::Head& head : source.heads)
    if (head.name == weights::kClassifier) expected.heads.push_back(head);
  back.heads = weights::read_heads(flags.out);
  if (!changed_tensors(expected, back).empty())
    fail(ErrorKind::Internal, "[convert] {}: the classifier changed; do not use the file",
         printable(flags.out));
  report.result["out"] = printable(flags.out);
  report.text +=
      fmt::format("{}: read back, every tensor equal bit for bit\n", printable(flags.out));
}

/** The newest checkpoint of a run; other paths are returned unchanged. */
fs::path checkpoint_file(const fs::path& path) {
  const run::RunLayout layout{path};
  if (!fs::is_directory(path) || !layout.holds_run()) return path;
  const run::CheckpointStore store(layout.checkpoints(), 1);
  const auto newest = store.newest();
  if (!newest) fail(ErrorKind::Io, "[convert] {}: this run has no checkpoint yet", printable(path));
  return newest->path;
}

/** The network that the summary describes. */
weights::Weights& spoken_of(weights::NetworkPair& checkpoint) {
  const auto teacher = checkpoint.networks.find("teacher");
  return teacher != checkpoint.networks.end() ? teacher->second
                                              : checkpoint.networks.begin()->second;
}

}  // namespace

int run_convert(const ConvertFlags& flags, Context& context) {
  weights::NetworkPair checkpoint;
  if (flags.to == "checkpoint") {
    checkpoint = weights::read_network_pair(checkpoint_file(flags.weights), flags.read);
  } else {
    checkpoint.networks.emplace("teacher", weights::read(flags.weights, flags.read));
  }
  for (const auto& [name, network] : checkpoint.networks) weights::require_finite(network, true);
  weights::Weights& source = spoken_of(checkpoint);
  if (!flags.heads.empty())
    weights::add_heads(source, weights::read_heads(flags.heads, flags.read));
  Report report;
  report.result = weights_summary(source);
  report.text = weights_text(report.result);
  if (flags.to == "onnx") {
    const auto storage = flags.precision == "fp16" ? onnx::Storage::Fp16 : onnx::Storage::Fp32;
    if (!flags.dry_run)
      report.text += convert_to_onnx(source, flags.out, storage, flags.force, report.result);
  } else if (flags.to == "checkpoint") {
    convert_checkpoint(flags, std::move(checkpoint), report);
  } else if (flags.to == "classifier") {
    convert_classifier(flags, source, report);
  } else {
    convert_backbone(flags, std::move(source), report);
  }
  print_result(context, report.result, report.text);
  return kOk;
}

}  // namespace dino::cli
