#include "dino/run/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>

#include "dino/base/error.h"
#include "dino/base/file.h"
#include "dino/base/json.h"
#include "dino/base/json_lines.h"
#include "dino/base/text.h"
#include "dino/image/codecs/encode.h"
#include "dino/image/pixels/resize.h"
#include "dino/run/chart.h"
#include "dino/run/metric_table.h"

namespace dino::assets {
extern const std::string_view report_page;  // web/report.html
}

namespace dino::run {
namespace {

constexpr int kMaxTilePx = 192;   // shown at 128 px at most; a little more for sharp screens
constexpr int kPixelArtPx = 96;   // smaller images are enlarged as blocks, not blurred
constexpr int kJpegFromPx = 100;  // photographs are a tenth of the size as JPEG; maps stay lossless

std::optional<double> number(const nlohmann::json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_number()) return std::nullopt;
  return found->get<double>();
}

std::string percent(std::optional<double> share) {
  return share ? fmt::format("{:.1f} %", 100 * *share) : "–";
}

/** 1234567 -> "1 234 567" with thin spaces. */
std::string grouped(double value) {
  std::string digits = fmt::format("{:.0f}", value), out;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) out += "&#8239;";
    out += digits[i];
  }
  return out;
}

std::string base64(std::span<const std::byte> bytes) {
  static constexpr char kDigits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 3; ++j)
      group = group << 8 | (j < count ? std::to_integer<std::uint32_t>(bytes[i + j]) : 0);
    for (std::size_t j = 0; j < 4; ++j)
      out += j <= count ? kDigits[group >> (18 - 6 * j) & 63] : '=';
  }
  return out;
}

std::string data_uri(const image::Image& original) {
  const int side = std::max(original.width, original.height);
  const image::Image image =
      side <= kMaxTilePx ? original
                         : image::resize(original, std::max(1, original.width * kMaxTilePx / side),
                                         std::max(1, original.height * kMaxTilePx / side));
  if (side >= kJpegFromPx) return "data:image/jpeg;base64," + base64(image::encode_jpeg(image, 88));
  return "data:image/png;base64," + base64(image::encode_png(image));
}

std::string headline_table(const nlohmann::json& summary) {
  struct Row {
    const char *name, *key, *shifted_key, *css;
  };
  const Row rows[] = {{"Raw pixels", "raw_pixels_top1", "raw_pixels_shifted_top1", ""},
                      {"Untrained network", "untrained_top1", "untrained_shifted_top1", ""},
                      {"Trained network", "knn_top1", "knn_shifted_top1", "trained"}};
  const bool shifted = number(summary, "knn_shifted_top1").has_value();
  std::string body;
  for (const Row& row : rows) {
    const auto clean = number(summary, row.key), moved = number(summary, row.shifted_key);
    if (!clean && !moved) continue;
    body += fmt::format(R"(<tr class="{}"><td>{}</td><td>{}</td>{}</tr>)", row.css, row.name,
                        percent(clean), shifted ? fmt::format("<td>{}</td>", percent(moved)) : "");
  }
  if (body.empty()) return {};
  return fmt::format(
      R"(<div class="card"><table class="headline"><tr><th>k-NN accuracy</th><th>test images</th>{}</tr>{}</table></div>)",
      shifted ? "<th>shifted, mirrored</th>" : "", body);
}

std::string facts(const nlohmann::json& summary) {
  std::string body;
  const auto add = [&](const char* name, const std::string& value) {
    body += fmt::format("<div><dt>{}</dt><dd>{}</dd></div>", name, value);
  };
  if (const auto seconds = number(summary, "seconds")) add("Time", format_duration(*seconds));
  if (const auto rate = number(summary, "images_per_second"))
    add("Images per second", grouped(*rate));
  if (const auto images = number(summary, "images")) add("Images seen", grouped(*images));
  if (const auto epochs = number(summary, "epochs")) add("Epochs", short_number(*epochs));
  if (const auto precision = summary.find("precision");
      precision != summary.end() && precision->is_string())
    add("Precision", html_escape(printable(precision->get<std::string>())));
  if (const auto bad = number(summary, "bad_images"); bad && *bad > 0)
    add("Unreadable images", grouped(*bad));
  return body.empty() ? "" : fmt::format(R"(<dl class="card facts">{}</dl>)", body);
}

std::string alarms(const nlohmann::json& summary) {
  const auto found = summary.find("alarms");
  if (found == summary.end() || !found->is_array() || found->empty()) return {};
  std::string names;
  for (const auto& name : *found)
    if (name.is_string())
      names += (names.empty() ? "" : ", ") + html_escape(printable(name.get<std::string>()));
  std::string remedy;
  if (const auto changes = summary.find("remedy"); changes != summary.end() && changes->is_string())
    remedy = fmt::format(" After a collapse the run went on with {}.",
                         html_escape(printable(changes->get<std::string>())));
  return fmt::format(
      R"(<p class="warn">Alarms were raised during training: {}. The log says when, and what to change.{}</p>)",
      names, remedy);
}

/** How the newest value of a curve reads. */
std::string last_value(const Metric& metric, double shown) {
  return metric.unit == "%" ? fmt::format("{:.1f} %", shown) : short_number(shown);
}

/** Descriptions for a run without figures.json: every number of its lines, under its own name. */
std::vector<Metric> undescribed(const std::vector<nlohmann::json>& lines) {
  std::set<std::string> names;
  for (const auto& line : lines)
    for (const auto& [name, value] : line.items())
      if (value.is_number()) names.insert(name);
  for (const char* axis : {"iteration", "epoch", "seconds"}) names.erase(axis);
  std::vector<Metric> metrics;
  for (const std::string& name : names)
    metrics.push_back({.name = name, .title = name, .from_zero = false});
  return metrics;
}

std::string curve(const Metric& metric, const std::vector<nlohmann::json>& lines) {
  Chart chart{.points = {}, .from_zero = metric.from_zero};
  for (const auto& line : lines) {
    const auto x = number(line, "epoch"), y = number(line, metric.name.c_str());
    if (x && y) chart.points.emplace_back(*x, *y * metric.scale);
  }
  if (metric.reference) {
    chart.reference = *metric.reference * metric.scale;
    chart.reference_label = printable(metric.reference_label);
  }
  const std::string svg = svg_chart(chart);
  if (svg.empty()) return {};
  const std::string title = metric.title + (metric.unit.empty() ? "" : ", " + metric.unit);
  return fmt::format(
      R"(<figure class="card"><div class="name"><b>{}</b><span>{}</span></div>{}</figure>)",
      html_escape(printable(title)), last_value(metric, chart.points.back().second), svg);
}

std::string curves(const RunRecord& record) {
  std::string body;
  for (const Metric& metric : record.figures.empty() ? undescribed(record.metrics) : record.figures)
    body += curve(metric, record.metrics);
  if (body.empty()) return {};
  return fmt::format(
      R"(<h2>How it went</h2><p class="sub">Over epochs; the figure at the right of each is the last one.</p>)"
      R"(<div class="curves">{}</div>)",
      body);
}

std::string tile_html(const image::Tile& tile) {
  const char* mark = tile.mark == image::Mark::Good  ? " good"
                     : tile.mark == image::Mark::Bad ? " bad"
                                                     : "";
  const std::string caption = html_escape(printable(tile.caption));
  std::string body;
  if (!tile.image.empty())
    body = fmt::format(
        R"(<img{} src="{}" alt="{}">)",
        std::max(tile.image.width, tile.image.height) < kPixelArtPx ? R"( class="small")" : "",
        data_uri(tile.image), caption);
  if (!caption.empty())
    body += fmt::format(R"(<figcaption title="{}">{}</figcaption>)", caption, caption);
  return fmt::format(R"(<figure class="tile{}">{}</figure>)", mark, body);
}

std::string sheet_html(const image::Sheet& sheet) {
  std::string body;
  for (const auto& title : sheet.column_titles)
    body += fmt::format(R"(<div class="head">{}</div>)", html_escape(printable(title)));
  for (const auto& tile : sheet.tiles) body += tile_html(tile);
  return fmt::format(
      R"(<h2>{}</h2><p class="sub">{}</p><div class="scroll"><div class="sheet" style="--columns:{}">{}</div></div>)",
      html_escape(printable(sheet.title)), html_escape(printable(sheet.caption)), sheet.columns,
      body);
}

std::string value_text(const nlohmann::json& value) {
  return html_escape(printable(value.is_string() ? value.get<std::string>() : dump_json(value)));
}

/** The newest session's machine; env.json holds one entry per session of a resumed run. */
std::string machine(const nlohmann::json& environment) {
  nlohmann::json session = environment;
  std::string note;
  if (const auto sessions = environment.find("sessions");
      sessions != environment.end() && sessions->is_array() && !sessions->empty()) {
    session = sessions->back();
    if (sessions->size() > 1)
      note = fmt::format(" The run was resumed {} times; this is the last session.",
                         sessions->size() - 1);
  }
  if (!session.is_object() || session.empty()) return {};
  std::string rows;
  for (const auto& [key, value] : session.items()) {
    std::string name = key;
    std::replace(name.begin(), name.end(), '_', ' ');
    rows += fmt::format("<tr><td>{}</td><td>{}</td></tr>", html_escape(printable(name)),
                        value_text(value));
  }
  return fmt::format(
      R"(<h2>The machine</h2><p class="sub">Where these figures come from.{}</p><div class="card"><table class="machine">{}</table></div>)",
      note, rows);
}

std::string recipe(const std::string& text) {
  if (text.empty()) return {};
  return fmt::format(
      R"(<h2>The recipe</h2><p class="sub">Complete, with every default written out: <code>dino train --recipe recipe.toml</code> repeats the run.</p>)"
      R"(<details><summary>Show</summary><pre>{}</pre></details>)",
      html_escape(text));
}

std::string next(const std::vector<std::string>& commands) {
  if (commands.empty()) return {};
  std::string lines;
  for (const auto& command : commands) lines += html_escape(printable(command)) + "\n";
  return fmt::format(R"(<h2>Next</h2><pre>{}</pre>)", lines);
}

/** Replaces each {{name}} of the page; the values themselves are not searched. */
std::string fill(std::string_view page,
                 const std::vector<std::pair<std::string_view, std::string>>& values) {
  std::string out;
  while (!page.empty()) {
    const auto begin = page.find("{{");
    if (begin == std::string_view::npos) break;
    const auto end = page.find("}}", begin);
    const auto name = page.substr(begin + 2, end - begin - 2);
    out += page.substr(0, begin);
    for (const auto& [key, value] : values)
      if (key == name) out += value;
    page.remove_prefix(end + 2);
  }
  return out += page;
}

std::vector<Metric> read_figures(const std::filesystem::path& path) try {
  return metrics_from_json(read_json_file(path));
} catch (const nlohmann::json::exception& error) {
  fail(ErrorKind::Format, "[report] {}: {}; remove it, and curves get plain names", printable(path),
       error.what());
}

}  // namespace

RunRecord read_run_record(const std::filesystem::path& directory) {
  RunRecord record{nlohmann::json::object(), nlohmann::json::object(), {}, {}, {}};
  const auto exists = [&](const char* name) { return std::filesystem::exists(directory / name); };
  if (exists("summary.json")) record.summary = read_json_file(directory / "summary.json");
  if (exists("env.json")) record.environment = read_json_file(directory / "env.json");
  if (exists("recipe.toml")) record.recipe = read_text_file(directory / "recipe.toml");
  if (exists("figures.json")) record.figures = read_figures(directory / "figures.json");
  if (exists("metrics.jsonl")) {
    for_each_json_line(
        read_text_file(directory / "metrics.jsonl"),
        [&](nlohmann::json& line, std::string_view) { record.metrics.push_back(std::move(line)); });
  }
  return record;
}

std::string report_html(const RunRecord& record, const ReportInputs& inputs) {
  const auto name = record.summary.find("name");
  const std::string title = name != record.summary.end() && name->is_string()
                                ? html_escape(printable(name->get<std::string>()))
                                : "Training run";
  std::string body = alarms(record.summary);
  const std::string top = headline_table(record.summary) + facts(record.summary);
  if (!top.empty()) body += fmt::format(R"(<div class="top">{}</div>)", top);
  body += curves(record);
  for (const auto& sheet : inputs.sheets)
    if (!sheet.tiles.empty()) body += sheet_html(sheet);
  body += next(inputs.next_commands) + recipe(record.recipe) + machine(record.environment);
  return fill(
      assets::report_page,
      {{"title", title},
       {"subtitle",
        "Self-supervised training with DINO, without labels. Labels are used only to measure."},
       {"body", body}});
}

void write_report(const std::filesystem::path& run_directory, const ReportInputs& inputs) {
  write_file_atomically(run_directory / "report.html",
                        report_html(read_run_record(run_directory), inputs));
}

}  // namespace dino::run
