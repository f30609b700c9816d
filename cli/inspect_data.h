// The report of `dino inspect` on a data set.
#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "dino/data/survey.h"

namespace dino::cli {

/** A result as JSON and as text. */
struct Finding {
  nlohmann::json document;
  std::string text;
};

using DataFlags = data::SurveyOptions;

/** Opens the data set and examines it with `threads` threads (0 = one per core). */
Finding inspect_data(const std::string& source, const DataFlags& flags, int threads);

}  // namespace dino::cli
