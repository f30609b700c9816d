#include "dino/run/metric_table.h"

#include <nlohmann/json.hpp>

namespace dino::run {

nlohmann::json metrics_to_json(std::span<const Metric> metrics) {
  nlohmann::json list = nlohmann::json::array();
  for (const Metric& metric : metrics) {
    nlohmann::json entry = {{"name", metric.name},
                            {"title", metric.title},
                            {"unit", metric.unit},
                            {"scale", metric.scale},
                            {"from_zero", metric.from_zero}};
    if (metric.reference)
      entry.update({{"reference", *metric.reference}, {"reference_label", metric.reference_label}});
    list.push_back(std::move(entry));
  }
  return list;
}

std::vector<Metric> metrics_from_json(const nlohmann::json& json) {
  std::vector<Metric> metrics;
  for (const nlohmann::json& entry : json) {
    Metric metric{.name = entry.at("name"), .title = entry.at("title")};
    metric.unit = entry.value("unit", "");
    metric.scale = entry.value("scale", 1.0);
    metric.from_zero = entry.value("from_zero", true);
    if (entry.contains("reference")) {
      metric.reference = entry.at("reference").get<double>();
      metric.reference_label = entry.value("reference_label", "");
    }
    metrics.push_back(std::move(metric));
  }
  return metrics;
}

}  // namespace dino::run
