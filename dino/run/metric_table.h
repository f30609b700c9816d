// figures.json of a run: how its figures are to be read, so that a report can be made from the
// run's own files alone.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <vector>

#include "dino/base/metric.h"

namespace dino::run {

nlohmann::json metrics_to_json(std::span<const Metric> metrics);
/** Throws nlohmann::json::exception if it is none. */
std::vector<Metric> metrics_from_json(const nlohmann::json& json);

}  // namespace dino::run
