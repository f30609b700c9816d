// dino eval patches: mean IoU on composed scenes.
#include <fmt/format.h>

#include <chrono>

#include "cli/interrupt.h"
#include "cli/torch/actions.h"
#include "cli/torch/network.h"
#include "dino/base/text.h"
#include "dino/eval/patch_segmentation.h"

namespace dino::cli {
namespace {

eval::PatchFeatures features_of(const PatchFlags& flags, LoadedNetwork& network,
                                const std::stop_token& stop) {
  if (flags.features == "pixels")
    return eval::patch_pixels(static_cast<int>(network.architecture.patch_size()));
  return eval::patch_tokens(*network.backbone, stop);
}

nlohmann::json to_json(const eval::SegmentationScore& score,
                       const std::vector<std::string>& classes) {
  auto iou = nlohmann::json::object();
  for (std::size_t c = 0; c < classes.size(); ++c)
    iou[classes[c]] = score.iou[c] ? nlohmann::json(*score.iou[c]) : nlohmann::json();
  return {{"mean_iou", score.mean_iou}, {"pixel_accuracy", score.pixel_accuracy}, {"iou", iou}};
}

std::string to_text(const eval::PatchFigures& figures, const std::vector<std::string>& classes,
                    const std::string& features) {
  const auto row = [](std::string_view name, double knn, double linear) {
    return fmt::format("  {:<24} {:>6.2f} % {:>9.2f} %\n", name, 100 * knn, 100 * linear);
  };
  std::string text = fmt::format("{} of {} test scenes, {} patches to learn from\n", features,
                                 figures.scenes, figures.gallery_patches);
  text += fmt::format("  {:<24} {:>8} {:>11}\n", "", "k-NN", "linear");
  text += row("mean IoU", figures.knn.mean_iou, figures.linear.mean_iou);
  text += row("pixel accuracy", figures.knn.pixel_accuracy, figures.linear.pixel_accuracy);
  for (std::size_t c = 0; c < classes.size(); ++c)
    if (figures.knn.iou[c])
      text += row("IoU of " + printable(std::string_view(classes[c])), *figures.knn.iou[c],
                  *figures.linear.iou[c]);
  return text;
}

}  // namespace

int run_patches(const PatchFlags& flags, Context& context) {
  LoadedNetwork network = load_network(flags.network, context, flags.features == "untrained");
  if (flags.features != "pixels") report_precision(context, flags.network, network);
  const eval::PatchSegmentation segmentation(flags.scenes, network.preprocess,
                                             static_cast<int>(network.architecture.patch_size()),
                                             {.image_size = flags.network.image_size,
                                              .gallery = flags.gallery,
                                              .scenes = flags.test_scenes,
                                              .k = flags.k,
                                              .temperature = flags.temperature,
                                              .seed = flags.seed});
  const InterruptGuard interrupt([] {});
  const auto start = std::chrono::steady_clock::now();
  const auto figures =
      segmentation.measure(features_of(flags, network, interrupt.token()),
                           extract_options(context, flags.scenes).progress, interrupt.token());
  if (!figures) return kInterrupted;
  if (figures->bad > 0)
    context.console.message(LogLevel::Warning,
                            fmt::format("{}: {} scenes cannot be read and are left out",
                                        printable(std::string_view(flags.scenes)), figures->bad));
  const auto& classes = segmentation.class_names();
  nlohmann::json document = {
      {"features", flags.features},
      {"k", flags.k},
      {"temperature", flags.temperature},
      {"image_size", segmentation.image_size()},
      {"gallery_patches", figures->gallery_patches},
      {"scenes", figures->scenes},
      {"bad_scenes", figures->bad},
      {"knn", to_json(figures->knn, classes)},
      {"linear", to_json(figures->linear, classes)},
      {"seconds", std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count()}};
  if (flags.features != "pixels") {
    const auto computed = network.backbone->computed();
    document.update(
        {{"precision", model::name_of(computed.precision)}, {"kernel", computed.kernel}});
  }
  print_result(context, document, to_text(*figures, classes, flags.features));
  return kOk;
}

}  // namespace dino::cli
