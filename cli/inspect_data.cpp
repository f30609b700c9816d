// dino inspect of a data set: the survey of dino/data/survey.h as text and JSON.
#include "cli/inspect_data.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "cli/context.h"
#include "dino/base/cores.h"
#include "dino/base/text.h"

namespace dino::cli {
namespace {

constexpr std::size_t kShown = 10;  ///< lines of each list

/** "12 jpeg, 3 png": the most frequent first. */
template <typename Key>
std::string ranking(const std::map<Key, std::int64_t>& counts, std::string_view unit = "") {
  std::vector<std::pair<Key, std::int64_t>> ranked(counts.begin(), counts.end());
  std::ranges::stable_sort(ranked, std::greater{}, [](const auto& entry) { return entry.second; });
  std::vector<std::string> parts;
  for (std::size_t i = 0; i < std::min(kShown, ranked.size()); ++i)
    parts.push_back(fmt::format("{}{} ({})", ranked[i].first, unit, ranked[i].second));
  if (ranked.size() > kShown) parts.push_back(fmt::format("{} more", ranked.size() - kShown));
  return fmt::format("{}", fmt::join(parts, ", "));
}

nlohmann::json statistics_document(const data::Survey& survey) {
  nlohmann::json documents = nlohmann::json::array();
  for (const auto& [channels, statistics] : survey.statistics) {
    std::vector<double> mean, std;
    for (const auto& [channel_mean, channel_std] : statistics) {
      mean.push_back(channel_mean);
      std.push_back(channel_std);
    }
    documents.push_back({{"channels", channels}, {"mean", mean}, {"std", std}});
  }
  return documents;
}

nlohmann::json values_document(const data::Survey& survey) {
  nlohmann::json kinds = nlohmann::json::array();
  for (const data::ValueKind& kind : survey.values) {
    const image::SampleReport& samples = kind.samples;
    kinds.push_back({{"format", kind.format},
                     {"type", samples.type},
                     {"images", kind.images},
                     {"range", {samples.range.low, samples.range.high}},
                     {"range_given", samples.range_given},
                     {"found", {samples.lowest, samples.highest}},
                     {"nearly_all", {samples.low, samples.high}},
                     {"samples", samples.samples},
                     {"clipped", samples.clipped},
                     {"no_data", samples.no_data}});
  }
  return kinds;
}

nlohmann::json document_of(const std::string& source, const data::Survey& survey,
                           const DataFlags& flags) {
  nlohmann::json bad = nlohmann::json::array(), channels = nlohmann::json::object();
  for (const data::Survey::Bad& file : survey.bad)
    bad.push_back(fmt::format("{}: {}", file.name, file.reason));
  for (const auto& [count, images] : survey.channels) channels[std::to_string(count)] = images;
  nlohmann::json notes = nlohmann::json::array();
  for (const data::SourceNote& note : survey.notes) notes.push_back(data::describe(note));
  nlohmann::json document = {{"kind", "dataset"},
                             {"path", printable(std::string_view(source))},
                             {"images", survey.images},
                             {"tried", survey.examined},
                             {"bytes", survey.bytes},
                             {"formats", survey.formats},
                             {"sizes", survey.sizes},
                             {"channels", channels},
                             {"bits", survey.depths},
                             {"values", values_document(survey)},
                             {"advice", data::value_advice(survey.values, false)},
                             {"with_alpha", survey.with_alpha},
                             {"with_pages", survey.with_pages},
                             {"classes", survey.classes},
                             {"unlabeled", survey.unlabeled},
                             {"notes", notes},
                             {"duplicates", survey.duplicates},
                             {"bad", bad}};
  if (flags.statistics) document["statistics"] = statistics_document(survey);
  return document;
}

/** The first lines of a list, and how many there are more. */
template <typename List, typename Line>
void append_lines(std::string& text, const List& list, std::string_view what, Line line) {
  std::size_t shown = 0;
  for (const auto& entry : list) {
    if (shown++ == kShown) break;
    text += fmt::format("    {}\n", line(entry));
  }
  if (list.size() > kShown) text += fmt::format("    and {} more {}\n", list.size() - kShown, what);
}

/** A line for each kind of samples, then what should be done about them. */
std::string values_text(const data::Survey& survey) {
  std::string text;
  for (const data::ValueKind& kind : survey.values) {
    const image::SampleReport& samples = kind.samples;
    text += fmt::format(
        "    values    {} {} ({}): {:.10g} is black, {:.10g} white{}; found {:.6g} to {:.6g}, "
        "{:.2f} % clipped, {} no data\n",
        kind.format, samples.type, kind.images, samples.range.low, samples.range.high,
        samples.range_given ? " (given)" : "", samples.lowest, samples.highest,
        100.0 * static_cast<double>(samples.clipped) /
            static_cast<double>(std::max<std::int64_t>(1, samples.samples)),
        samples.no_data);
  }
  for (const std::string& advice : data::value_advice(survey.values, false))
    text += fmt::format("  {}\n", advice);
  return text;
}

std::string text_of(const std::string& source, const data::Survey& survey) {
  std::string text =
      fmt::format("data set {}\n  {} images, {} classes\n", printable(std::string_view(source)),
                  survey.images, survey.classes.size());
  append_lines(text, survey.classes, "classes", [](const auto& entry) {
    return fmt::format("{:<24} {}", entry.first, entry.second);
  });
  if (survey.unlabeled > 0)
    text += fmt::format("  {} have no label; the first: {}\n", survey.unlabeled,
                        printable(std::string_view(survey.first_unlabeled)));
  for (const data::SourceNote& note : survey.notes)
    text += fmt::format("  {}\n", data::describe(note));
  text += fmt::format("  {} looked at ({:.1f} MB)\n", survey.examined,
                      static_cast<double>(survey.bytes) / 1e6);
  if (!survey.formats.empty())
    text += fmt::format("    formats   {}\n    sizes     {}\n    channels  {}\n    bits      {}\n",
                        ranking(survey.formats), ranking(survey.sizes, " px"),
                        ranking(survey.channels), ranking(survey.depths));
  text += values_text(survey);
  if (survey.with_alpha > 0) text += fmt::format("  {} have alpha\n", survey.with_alpha);
  if (survey.with_pages > 0)
    text += fmt::format("  {} have pages that are not used; name them .tif\n", survey.with_pages);
  text += fmt::format("  {} cannot be read\n", survey.bad.size());
  append_lines(text, survey.bad, "of them",
               [](const auto& bad) { return fmt::format("{}: {}", bad.name, bad.reason); });
  text += fmt::format("  {} groups of equal files\n", survey.duplicates.size());
  append_lines(text, survey.duplicates, "groups", [](const auto& names) {
    return fmt::format("{} times {}, {}{}", names.size(), names[0], names[1],
                       names.size() > 2 ? ", ..." : "");
  });
  for (const auto& document : statistics_document(survey)) {
    const auto mean = document["mean"].get<std::vector<double>>();
    const auto std = document["std"].get<std::vector<double>>();
    text += fmt::format("  {} channels, for a recipe:\n    mean = [{:.4f}]\n    std = [{:.4f}]\n",
                        mean.size(), fmt::join(mean, ", "), fmt::join(std, ", "));
  }
  return text;
}

}  // namespace

Finding inspect_data(const std::string& source, const DataFlags& flags, int threads) {
  data::SourceOptions options;
  options.channels = flags.channels;
  options.decode = flags.decode;
  const auto dataset = data::open_dataset(source, options);
  ThreadPool pool(pool_workers(threads));
  const data::Survey survey = data::survey(*dataset, flags, pool);
  return {document_of(source, survey, flags), text_of(source, survey)};
}

}  // namespace dino::cli
