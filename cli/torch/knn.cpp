// dino eval knn: votes of the nearest neighbors.
#include "dino/eval/knn.h"

#include <chrono>
#include <memory>
#include <optional>

#include "cli/torch/actions.h"
#include "cli/torch/network.h"
#include "dino/base/error.h"
#include "dino/eval/labeled_source.h"
#include "dino/eval/match_classes.h"

namespace dino::cli {
namespace {

/** Computes feature rows of a data set as --features says. */
class FeatureSource {
 public:
  FeatureSource(const KnnFlags& flags, Context& context) : flags_(flags), context_(context) {
    if (flags.features == "pixels" && flags.network.weights.empty()) {
      preprocess_ = {.image_size = flags.network.image_size > 0 ? flags.network.image_size : 224,
                     .resize = flags.network.resize,
                     .channels = flags.channels > 0 ? flags.channels : 3};
      // No network, no statistics of its own: pixels in [0, 1].
      preprocess_.mean.assign(static_cast<std::size_t>(preprocess_.channels), 0.0);
      preprocess_.std.assign(static_cast<std::size_t>(preprocess_.channels), 1.0);
      if (const auto& range = flags.network.value_range)
        preprocess_.value_range = {range->low, range->high};
      data::validate(preprocess_);
    } else {
      network_ = load_network(flags.network, context, flags.features == "untrained");
      report_precision(context, flags.network, network_);
      preprocess_ = network_.preprocess;
    }
  }

  const data::Preprocess& preprocess() const { return preprocess_; }

  /** What features are computed in, and by what; empty for pixels. */
  std::optional<model::Computed> computed() const {
    if (flags_.features == "pixels") return std::nullopt;
    return network_.backbone->computed();
  }

  embed::FeatureMatrix operator()(const data::Dataset& dataset, const std::string& source,
                                  const data::Augment& augment) const {
    auto options = extract_options(context_, source);
    options.augment = augment;
    options.patch_size = static_cast<int>(network_.architecture.patch_size());
    options.max_tokens = network_.backbone ? flags_.network.max_tokens : 0;
    const auto kind = flags_.features == "cls+mean" ? embed::FeatureKind::ClsAndMeanPatch
                                                    : embed::FeatureKind::Cls;
    auto matrix = flags_.features == "pixels" ? embed::extract_pixels(dataset, preprocess_, options)
                                              : embed::extract_features(*network_.backbone, dataset,
                                                                        preprocess_, kind, options);
    if (!augment.any()) report_bad_images(context_, matrix, source);
    return matrix;
  }

 private:
  const KnnFlags& flags_;
  Context& context_;
  LoadedNetwork network_;
  data::Preprocess preprocess_;
};

std::unique_ptr<data::Dataset> open_labeled(const std::string& path,
                                            const data::Preprocess& preprocess, const char* flag,
                                            Context& context) {
  eval::LabeledSource source = eval::open_labeled(path, preprocess, flag);
  if (source.left_out > 0)
    context.console.message(
        LogLevel::Warning,
        fmt::format("{} {}: {} of {} images have no label and are left out{}", flag, path,
                    source.left_out, source.left_out + source.images->size(), source.notes));
  return std::move(source.images);
}

nlohmann::json to_json(const eval::KnnResult& result) {
  auto scores = nlohmann::json::array();
  for (const auto& score : result.scores)
    scores.push_back({{"k", score.k}, {"top1", score.top1}, {"top5", score.top5}});
  return scores;
}

std::string to_text(const eval::KnnResult& result, const std::string& title) {
  std::string text = title + "\n";
  for (const auto& score : result.scores)
    text += fmt::format("  k = {:<4} top-1 {:6.2f} %   top-5 {:6.2f} %\n", score.k,
                        100 * score.top1, 100 * score.top5);
  return text;
}

}  // namespace

int run_knn(const KnnFlags& flags, Context& context) {
  const FeatureSource features(flags, context);
  const auto train = open_labeled(flags.train, features.preprocess(), "--train", context);
  const auto test = open_labeled(flags.test, features.preprocess(), "--test", context);
  report_values(context, *train, features.preprocess(), flags.train);
  report_values(context, *test, features.preprocess(), flags.test);
  const auto class_of = eval::match_classes(train->class_names(), test->class_names(),
                                            "--train " + flags.train, "--test " + flags.test);

  const auto start = std::chrono::steady_clock::now();
  const eval::KnnOptions options{
      .k = flags.k, .temperature = flags.temperature, .center = flags.center};
  const auto gallery = features(*train, flags.train, {});
  const auto classify = [&](const data::Augment& augment) {
    auto queries = features(*test, flags.test, augment);
    eval::relabel(queries, class_of);
    return eval::knn_classify({gallery.features, gallery.labels},
                              {queries.features, queries.labels}, options);
  };
  const auto clean = classify({});
  nlohmann::json document = {{"features", flags.features},
                             {"temperature", flags.temperature},
                             {"center", flags.center},
                             {"gallery_images", gallery.features.size(0)},
                             {"bad_images", gallery.bad_count},
                             {"not_finite", gallery.not_finite},
                             {"query_images", clean.predictions[0].size()},
                             {"top1", clean.scores[0].top1},
                             {"top5", clean.scores[0].top5},
                             {"scores", to_json(clean)}};
  if (const auto computed = features.computed())
    document.update(
        {{"precision", model::name_of(computed->precision)}, {"kernel", computed->kernel}});
  std::string text = to_text(
      clean, fmt::format("k-NN on {}: {} queries, {} gallery images, T = {}{}", flags.features,
                         clean.predictions[0].size(), gallery.features.size(0), flags.temperature,
                         flags.center ? ", centered" : ""));
  if (flags.shift_px > 0) {
    const auto shifted = classify({.shift_px = flags.shift_px, .mirror = true, .seed = flags.seed});
    document["shift_px"] = flags.shift_px;
    document["shifted_top1"] = shifted.scores[0].top1;
    document["shifted_scores"] = to_json(shifted);
    text += to_text(shifted, fmt::format("queries shifted by up to {} px and mirrored at random",
                                         flags.shift_px));
  }
  document["seconds"] =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  print_result(context, document, text);
  return kOk;
}

}  // namespace dino::cli
