#include "cli/torch/run_figures.h"

#include <fmt/format.h>

#include <memory>

#include "dino/base/text.h"

namespace dino::cli {
namespace {

/** "<name>_top1" and, if measured, "<name>_shifted_top1". */
void add_figures(nlohmann::json& figures, const std::string& name,
                 const eval::KnnFigures& measured) {
  figures[name + "_top1"] = measured.top1;
  if (measured.shifted_top1) figures[name + "_shifted_top1"] = *measured.shifted_top1;
}

std::string percent(const nlohmann::json& summary, const std::string& key) {
  return summary.contains(key) ? fmt::format("{:.1f} %", 100 * summary[key].get<double>()) : "";
}

}  // namespace

void add_knn_hooks(train::TrainHooks& hooks, const recipe::Recipe& recipe, Console& console,
                   const std::stop_token& stop) {
  if (recipe.knn.train.empty()) return;
  const auto knn = std::make_shared<eval::RecipeKnn>(recipe);
  hooks.knn = [knn, stop](model::Backbone& teacher) { return knn->held_out(teacher, stop); };
  hooks.evaluate = [knn, stop, &console](
                       model::Backbone& teacher,
                       model::Backbone& untrained) -> std::optional<nlohmann::json> {
    nlohmann::json figures;
    const auto measure = [&](std::string_view what, const std::string& key, const auto& evaluate) {
      console.end_progress();
      console.message(LogLevel::Info, fmt::format("k-NN of {} ...", what));
      const std::optional<eval::KnnFigures> measured = evaluate();
      if (measured) add_figures(figures, key, *measured);
      return measured.has_value();
    };
    const bool complete =
        measure("the trained network", "knn", [&] { return knn->final(teacher, stop); }) &&
        measure("the untrained network", "untrained",
                [&] { return knn->final(untrained, stop); }) &&
        measure("raw pixels", "raw_pixels", [&] { return knn->final_pixels(stop); });
    return complete ? std::optional(figures) : std::nullopt;
  };
}

std::string summary_text(const nlohmann::json& summary) {
  std::string text;
  if (summary.contains("knn_top1")) {
    const bool shifted = summary.contains("knn_shifted_top1");
    text += fmt::format("{:<20} {:>12}{}\n", "", "k-NN top-1",
                        shifted ? "   shifted and mirrored" : "");
    for (const auto& [label, key] :
         {std::pair{"raw pixels", "raw_pixels"}, std::pair{"untrained network", "untrained"},
          std::pair{"trained network", "knn"}})
      text += fmt::format(
          "{:<20} {:>12}{}\n", label, percent(summary, fmt::format("{}_top1", key)),
          shifted ? fmt::format("{:>23}", percent(summary, fmt::format("{}_shifted_top1", key)))
                  : "");
    text += "\n";
  }
  text +=
      fmt::format("{} steps on {} images in {} ({:.0f} images/s, {})\n",
                  summary["iterations"].get<std::int64_t>(), summary["images"].get<std::int64_t>(),
                  format_duration(summary["seconds"]), summary["images_per_second"].get<double>(),
                  summary["precision"].get<std::string>());
  if (const auto bad = summary["bad_images"].get<std::int64_t>(); bad > 0)
    text += fmt::format("{} images could not be read: see bad_files.jsonl\n", bad);
  if (const auto skipped = summary["skipped_steps"].get<std::int64_t>(); skipped > 0)
    text += fmt::format("{} steps skipped: loss or gradient not finite\n", skipped);
  for (const auto& alarm : summary["alarms"])
    text += fmt::format("alarm during training: {}\n", alarm.get<std::string>());
  return text;
}

}  // namespace dino::cli
