// Reflection for structs of options: one visit_fields() per struct names each member once, with its
// allowed values. Reading, writing, range checks and the detection of unknown keys all use that
// description.
#pragma once
#include <fmt/ranges.h>

#include <cmath>
#include <concepts>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "dino/base/error.h"

namespace dino {

/** Matches Struct and const Struct. Each struct of options defines `template <OptionsOf<Struct> T,
 * typename F> void visit_fields(T& options, F&& field)`, which calls field(key, member, allowed)
 * once per member, in the order of the file; `allowed` has one of the types below. */
template <typename T, typename Struct>
concept OptionsOf = std::same_as<std::remove_const_t<T>, Struct>;

/** Any value is allowed. */
struct Anything {};

/** Allows finite numbers in [low, high], without the ends marked open. In arrays it applies to each
 * element. */
struct Range {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
  bool open_low = false;
  bool open_high = false;

  bool contains(double value) const {
    return std::isfinite(value) && (open_low ? value > low : value >= low) &&
           (open_high ? value < high : value <= high);
  }
  std::string text() const {
    if (!std::isfinite(high)) return fmt::format("{} {}", open_low ? "above" : "at least", low);
    if (!open_low && !open_high) return fmt::format("{} to {}", low, high);
    return fmt::format("{} {} and {} {}", open_low ? "above" : "at least", low,
                       open_high ? "below" : "at most", high);
  }
};

constexpr Range at_least(double low) {
  return {.low = low};
}
constexpr Range above(double low) {
  return {.low = low, .open_low = true};
}
constexpr Range between(double low, double high) {
  return {.low = low, .high = high};
}
constexpr Range probability() {
  return between(0, 1);
}
/** The range [low, high). */
constexpr Range below(double low, double high) {
  return {.low = low, .high = high, .open_high = true};
}
/** The range (low, high]. */
constexpr Range above(double low, double high) {
  return {.low = low, .high = high, .open_low = true};
}

/** Allows a fixed set of values. In lists it applies to each element. */
template <typename T>
struct OneOf {
  std::vector<T> values;
};
using OneOfWords = OneOf<std::string_view>;

namespace detail {

template <typename T>
concept List = requires(const T& value) {
  value.begin();
  value.end();
}
&&!std::same_as<T, std::string>;

template <typename T>
void check_option(const std::string&, const T&, const Anything&) {}

template <typename T>
requires std::is_arithmetic_v<T>
void check_option(const std::string& key, T value, const Range& range) {
  if (!range.contains(static_cast<double>(value)))
    fail(ErrorKind::Config, "[recipe] {} = {} is out of range; allowed: {}", key, value,
         range.text());
}

template <typename T, typename Choice>
requires(!List<T>) void check_option(const std::string& key, const T& value,
                                     const OneOf<Choice>& choices) {
  for (const Choice& choice : choices.values)
    if (choice == value) return;
  fail(ErrorKind::Config, "[recipe] {} = {} is not known; allowed: {}", key, value,
       fmt::join(choices.values, ", "));
}

template <List T, typename Allowed>
requires(!std::same_as<Allowed, Anything>) void check_option(const std::string& key,
                                                             const T& values,
                                                             const Allowed& allowed) {
  for (const auto& value : values) check_option(key, value, allowed);
}

}  // namespace detail

/** Throws Error{Config} naming `section`.key, value and what is allowed, at the first member that
 * is out of range. */
template <typename Options>
void check_fields(std::string_view section, const Options& options) {
  visit_fields(options, [&](std::string_view key, const auto& value, const auto& allowed) {
    detail::check_option(section.empty() ? std::string(key) : fmt::format("{}.{}", section, key),
                         value, allowed);
  });
}

}  // namespace dino
