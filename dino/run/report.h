// report.html: one file that shows what a run did, readable without a network, on a phone, next
// year. Figures and curves come from the run's own files; pictures from whoever can make them.
#pragma once
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "dino/base/metric.h"
#include "dino/image/pictures/sheet.h"

namespace dino::run {

/** What a run's directory does not hold. */
struct ReportInputs {
  std::vector<image::Sheet> sheets = {};        ///< in the order shown
  std::vector<std::string> next_commands = {};  ///< shell lines to try next
};

/** What it holds; missing files are empty values, and their part of the report is left out. */
struct RunRecord {
  nlohmann::json summary, environment;  ///< summary.json, env.json
  std::vector<nlohmann::json> metrics;  ///< lines of metrics.jsonl; a torn last line is dropped
  std::string recipe;                   ///< recipe.toml
  std::vector<Metric> figures;          ///< figures.json: the curves to draw, in order
};

/** Throws Error{Io|Format} on files that exist but cannot be used. */
RunRecord read_run_record(const std::filesystem::path& run_directory);

/** The page. All text is escaped; nothing is loaded from elsewhere. */
std::string report_html(const RunRecord& record, const ReportInputs& inputs);

/** Writes run_directory/report.html atomically. */
void write_report(const std::filesystem::path& run_directory, const ReportInputs& inputs);

}  // namespace dino::run
