// Suggestions ("did you mean ...?") for misspelled recipe keys, flags and names.
#pragma once
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace dino {

/** Levenshtein distance in bytes. */
std::size_t edit_distance(std::string_view a, std::string_view b);

/** The candidate with the smallest edit distance (the first of equals), or nothing if more than a
 * third of the longer name would have to change. */
std::optional<std::string> nearest_name(std::string_view name,
                                        std::span<const std::string> candidates);

/** "; did you mean 'X'?" to append to an error message, or "" if no candidate is near. */
std::string did_you_mean(std::string_view name, std::span<const std::string> candidates);

}  // namespace dino
