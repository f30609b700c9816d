// "Did you mean ...?" for recipe keys, flags and names.
#pragma once
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace dino {

/** Levenshtein distance in bytes. */
std::size_t edit_distance(std::string_view a, std::string_view b);

/** The candidate with the fewest edits (the first of equals), or nothing if even that would be a
 * wild guess: more than a third of the longer name to change. */
std::optional<std::string> nearest_name(std::string_view name,
                                        std::span<const std::string> candidates);

/** "; did you mean 'X'?" to end an error message with, or "". */
std::string did_you_mean(std::string_view name, std::span<const std::string> candidates);

}  // namespace dino
