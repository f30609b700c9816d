#include "dino/run/chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace dino::run {
namespace {

constexpr double kWidth = 420, kHeight = 190;
constexpr double kLeft = 48, kRight = 12, kTop = 10, kBottom = 24;
constexpr std::size_t kMaxPoints = 300;

using Points = std::vector<std::pair<double, double>>;

/** Finite points, averaged in equal runs down to at most kMaxPoints. */
Points thinned(const Points& all) {
  Points finite;
  std::copy_if(all.begin(), all.end(), std::back_inserter(finite),
               [](const auto& p) { return std::isfinite(p.first) && std::isfinite(p.second); });
  if (finite.size() <= kMaxPoints) return finite;
  Points out;
  for (std::size_t run = 0; run < kMaxPoints; ++run) {
    const std::size_t begin = finite.size() * run / kMaxPoints;
    const std::size_t end = finite.size() * (run + 1) / kMaxPoints;
    double x = 0, y = 0;
    for (std::size_t i = begin; i < end; ++i) {
      x += finite[i].first;
      y += finite[i].second;
    }
    const auto count = static_cast<double>(end - begin);
    out.emplace_back(x / count, y / count);
  }
  return out;
}

/** 1, 2 or 5 times a power of ten, so that at most `count` steps cover the span. */
double nice_step(double span, int count) {
  const double rough = span / count, power = std::pow(10.0, std::floor(std::log10(rough)));
  const double lead = rough / power;
  return power * (lead <= 1 ? 1 : lead <= 2 ? 2 : lead <= 5 ? 5 : 10);
}

struct Axis {
  double low, high, step;
  double share(double value) const { return (value - low) / (high - low); }
};

Axis make_axis(double low, double high, int count, bool widen) {
  // A constant curve still needs an axis. So does one that differs in its last bits alone, where a
  // step between ticks could be too small to be added.
  if (!(high - low > 1e-9 * std::max(std::abs(low), std::abs(high)))) {
    const double pad = low == 0 ? 1 : std::abs(low) * 0.1;
    low -= pad;
    high += pad;
  }
  const double step = nice_step(high - low, count);
  if (widen) {
    low = std::floor(low / step) * step;
    high = std::ceil(high / step) * step;
  }
  return {low, high, step};
}

/** first, first + step, ... up to `last`: as many as an axis can have. */
std::vector<double> ticks(double first, double last, double step) {
  constexpr int kMost = 20;
  std::vector<double> values;
  for (int i = 0; i < kMost && first + i * step <= last; ++i) values.push_back(first + i * step);
  return values;
}

}  // namespace

std::string short_number(double value) {
  if (!std::isfinite(value)) return "–";
  const double size = std::abs(value);
  if (size >= 1e6) return fmt::format("{:.4g}M", value / 1e6);
  if (size >= 1e4) return fmt::format("{:.4g}k", value / 1e3);
  if (size < 1e-12) return "0";
  if (size < 1e-3) {
    const int exponent = static_cast<int>(std::floor(std::log10(size) + 1e-9));
    return fmt::format("{:.2g}e{}", value / std::pow(10.0, exponent), exponent);
  }
  return fmt::format("{:.4g}", value);
}

std::string html_escape(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string svg_chart(const Chart& chart) {
  const Points points = thinned(chart.points);
  if (points.size() < 2) return {};
  const bool reference = chart.reference.has_value();
  double low = reference ? *chart.reference : points[0].second, high = low;
  for (const auto& [x, y] : points) {
    low = std::min(low, y);
    high = std::max(high, y);
  }
  if (chart.from_zero) low = std::min(low, 0.0);
  const Axis x_axis = make_axis(points.front().first, points.back().first, 5, false);
  const Axis y_axis = make_axis(low, high, 4, true);
  const auto at_x = [&](double x) { return kLeft + (kWidth - kLeft - kRight) * x_axis.share(x); };
  const auto at_y = [&](double y) {
    return kHeight - kBottom - (kHeight - kTop - kBottom) * y_axis.share(y);
  };

  std::string svg =
      fmt::format(R"(<svg class="chart" viewBox="0 0 {} {}" role="img">)", kWidth, kHeight);
  for (const double y : ticks(y_axis.low, y_axis.high + y_axis.step / 2, y_axis.step))
    svg += fmt::format(
        R"(<line class="grid" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/><text x="{}" y="{:.1f}" text-anchor="end">{}</text>)",
        kLeft, kWidth - kRight, at_y(y), at_y(y), kLeft - 6, at_y(y) + 4,
        short_number(std::abs(y) < y_axis.step / 1e6 ? 0 : y));
  for (const double x : ticks(std::ceil(x_axis.low / x_axis.step) * x_axis.step,
                              x_axis.high + x_axis.step * 1e-6, x_axis.step))
    svg += fmt::format(R"(<text x="{:.1f}" y="{}" text-anchor="middle">{}</text>)", at_x(x),
                       kHeight - 10, short_number(std::abs(x) < x_axis.step / 1e6 ? 0 : x));
  if (reference)
    svg += fmt::format(
        R"(<line class="reference" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/><text class="label" x="{}" y="{:.1f}" text-anchor="end">{}</text>)",
        kLeft, kWidth - kRight, at_y(*chart.reference), at_y(*chart.reference), kWidth - kRight - 2,
        at_y(*chart.reference) + 13, html_escape(chart.reference_label));
  std::string path;
  for (const auto& [x, y] : points)
    path += fmt::format("{}{:.1f} {:.1f}", path.empty() ? "M" : "L", at_x(x), at_y(y));
  svg += fmt::format(R"(<path class="curve" d="{}"/>)", path);
  svg += fmt::format(R"(<circle class="last" cx="{:.1f}" cy="{:.1f}" r="3.5"/>)",
                     at_x(points.back().first), at_y(points.back().second));
  svg += "</svg>";
  return svg;
}

}  // namespace dino::run
