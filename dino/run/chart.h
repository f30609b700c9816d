// A line chart as inline SVG: no scripts, colors from the page's CSS variables, so that it follows
// light and dark themes.
#pragma once
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace dino::run {

struct Chart {
  std::vector<std::pair<double, double>>
      points;                            ///< (x, y), x rising; non-finite ones are left out
  bool from_zero = false;                ///< the y axis begins at 0
  std::optional<double> reference = {};  ///< a dashed line at this y
  std::string reference_label = {};      ///< plain text
};

/** The chart, or an empty string below two points. Many points are averaged down to what a screen
 * can show. */
std::string svg_chart(const Chart& chart);

/** Up to four significant digits, with k and M for large values: axis labels and figures. */
std::string short_number(double value);

/** The text with & < > " replaced, for HTML text and attributes. */
std::string html_escape(std::string_view text);

}  // namespace dino::run
