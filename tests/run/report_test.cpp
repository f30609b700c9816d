#include "dino/run/report.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <regex>

#include "dino/base/error.h"
#include "dino/run/chart.h"

namespace dino::run {
namespace {

class Folder {
 public:
  Folder()
      : path_(std::filesystem::temp_directory_path() /
              ("dino_report_" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(path_);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  const std::filesystem::path& path() const { return path_; }
  void write(const char* name, const std::string& text) const {
    std::ofstream(path_ / name) << text;
  }

 private:
  std::filesystem::path path_;
};

RunRecord record_of_ten() {
  RunRecord record;
  record.summary = {{"name", "fashion"},
                    {"knn_top1", 0.8312},
                    {"knn_shifted_top1", 0.7255},
                    {"raw_pixels_top1", 0.861},
                    {"seconds", 575.4},
                    {"images_per_second", 1234.4},
                    {"alarms", nlohmann::json::array()}};
  record.environment = {{"sessions", {{{"host", "one"}}, {{"host", "two"}}}}};
  for (int i = 0; i < 10; ++i)
    record.metrics.push_back(
        {{"epoch", i * 0.1}, {"loss", 6.0 - 0.3 * i}, {"teacher_entropy", 3.0}});
  record.recipe = "name = \"fashion\"  # a < b & c";
  record.figures = {{.name = "loss", .title = "Loss", .from_zero = false},
                    {.name = "teacher_entropy",
                     .title = "Teacher <entropy>",
                     .unit = "nats",
                     .reference = 6.24,
                     .reference_label = "ln K = 6.24 & more"},
                    {.name = "knn_top1", .title = "k-NN", .unit = "%", .scale = 100}};
  return record;
}

int count(const std::string& text, const std::string& what) {
  int found = 0;
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++found;
  return found;
}

TEST(Report, ShowsFiguresCurvesPicturesAndRecipe) {
  image::Sheet sheet{.title = "Crops", .caption = "why", .column_titles = {"a", "b"}, .columns = 2};
  sheet.tiles = {{.image = image::Image(4, 4, 1), .caption = "boot", .mark = image::Mark::Good},
                 {}};
  const std::string html =
      report_html(record_of_ten(), {.sheets = {sheet}, .next_commands = {"dino show pca"}});
  for (const char* part :
       {"83.1 %", "72.5 %", "86.1 %", "9 min 35 s", "1&#8239;234", "ln K = 6.24 &amp; more",
        "a &lt; b &amp; c", "data:image/png;base64,iVBORw0KGgo", "tile good",
        "Teacher &lt;entropy&gt;, nats", "boot", "dino show pca", "two", "resumed 1 times"})
    EXPECT_NE(html.find(part), std::string::npos) << part;
  EXPECT_EQ(html.find(">one<"), std::string::npos);  // the last session's machine
  EXPECT_EQ(count(html, "<svg"), 2);  // loss and entropy: the other curves have no data
  EXPECT_EQ(html.find("{{"), std::string::npos);
}

/** The last figure beside each curve's name. */
std::string last_of(const std::string& html, const std::string& name) {
  const auto at = html.find("<b>" + name);
  if (at == std::string::npos) return "no curve";
  const auto begin = html.find("<span>", at) + 6;
  return html.substr(begin, html.find("</span>", begin) - begin);
}

TEST(Report, CurvesReadAsTheirFiguresAreDescribed) {
  RunRecord record = record_of_ten();
  for (std::size_t i = 0; i < record.metrics.size(); ++i)
    record.metrics[i]["knn_top1"] = 0.05 * static_cast<double>(i);
  const std::string html = report_html(record, {});
  EXPECT_EQ(last_of(html, "k-NN"), "45.0 %");
  EXPECT_EQ(last_of(html, "Loss"), "3.3");
  EXPECT_EQ(count(html, "<svg"), 3);
  record.figures.clear();  // a run of before there were descriptions: plain names, as stored
  const std::string plain = report_html(record, {});
  EXPECT_EQ(last_of(plain, "knn_top1"), "0.45");
  EXPECT_EQ(last_of(plain, "epoch"), "no curve") << "the axis";
}

TEST(Report, LoadsNothingFromElsewhere) {
  const std::string html = report_html(record_of_ten(), {});
  EXPECT_FALSE(std::regex_search(html, std::regex(R"((https?:)?//[a-z])")));
  EXPECT_EQ(html.find("<script"), std::string::npos);
  EXPECT_EQ(html.find("<link"), std::string::npos);
}

TEST(Report, EscapesWhatTheRunBringsAlong) {
  RunRecord record = record_of_ten();
  record.summary["name"] = "<script>alert(1)</script>\xff";
  image::Sheet sheet{.title = "<b>", .caption = "{{body}}", .columns = 1};
  sheet.tiles = {{.image = image::Image(2, 2, 3), .caption = "\"><img onerror=x>"}};
  const std::string html = report_html(record, {.sheets = {sheet}, .next_commands = {"echo <&>"}});
  EXPECT_EQ(html.find("<script"), std::string::npos);
  EXPECT_EQ(html.find("<img onerror"), std::string::npos);
  EXPECT_NE(html.find("\\xFF"), std::string::npos);
  EXPECT_NE(html.find("{{body}}"), std::string::npos);  // a caption is not a template
}

TEST(Report, WritesFromARunDirectoryWithATornLine) {
  const Folder folder;
  folder.write("metrics.jsonl",
               "{\"epoch\":0,\"loss\":6}\n{\"epoch\":1,\"loss\":5}\n\n{\"epoch\":2,\"lo");
  folder.write("summary.json", R"({"name": "torn", "knn_top1": null})");
  const RunRecord record = read_run_record(folder.path());
  EXPECT_EQ(record.metrics.size(), 2U);
  write_report(folder.path(), {});
  std::ifstream file(folder.path() / "report.html");
  const std::string html{std::istreambuf_iterator<char>(file), {}};
  EXPECT_EQ(count(html, "<svg"), 1);
  EXPECT_NE(html.find("torn"), std::string::npos);
  EXPECT_THROW(write_report(folder.path() / "missing", {}), Error);
}

TEST(Chart, DrawsEveryPointInsideTheFrame) {
  Chart chart;
  for (int i = 0; i < 5000; ++i)
    chart.points.emplace_back(i, i % 7 == 0 ? NAN : std::sin(i * 0.01) * 1e-4);
  const std::string svg = svg_chart(chart);
  const std::regex point(R"([ML]([0-9.-]+) ([0-9.-]+))");
  int points = 0;
  for (auto it = std::sregex_iterator(svg.begin(), svg.end(), point); it != std::sregex_iterator();
       ++it, ++points) {
    EXPECT_GE(std::stod((*it)[1]), 0);
    EXPECT_LE(std::stod((*it)[1]), 420);
    EXPECT_GE(std::stod((*it)[2]), 0);
    EXPECT_LE(std::stod((*it)[2]), 190);
  }
  EXPECT_EQ(points, 300);
}

TEST(Chart, ManyPointsAreMeansOfTheirNeighbors) {
  Chart many, few;
  for (int i = 0; i < 6000; ++i) many.points.emplace_back(i, i % 20);  // 20 points to a mean
  for (int i = 0; i < 300; ++i) few.points.emplace_back(20 * i + 9.5, 9.5);
  EXPECT_EQ(svg_chart(many), svg_chart(few));
}

// Means of equal values differ in their last bit, and a tick of such a span could never be passed.
TEST(Chart, CurvesThatDifferInTheirLastBitsAreConstant) {
  for (const double level : {0.2962962962962963, 1.0, 1e300, -7e-300, 123456789.0}) {
    Chart chart;
    for (int i = 0; i < 700; ++i)
      chart.points.emplace_back(i, i % 3 == 0 ? std::nextafter(level, HUGE_VAL) : level);
    const std::string svg = svg_chart(chart);
    EXPECT_LT(svg.size(), 20'000U) << level;
    EXPECT_EQ(svg.find("nan"), std::string::npos) << level;
    chart.points = {{1e15, level}, {std::nextafter(1e15, HUGE_VAL), level}};
    EXPECT_LT(svg_chart(chart).size(), 5'000U) << level;
  }
}

TEST(Chart, AReferenceIsDrawnWithOrWithoutALabel) {
  Chart chart{.points = {{0, 1}, {1, 2}}, .reference = 5};
  EXPECT_NE(svg_chart(chart).find("class=\"reference\""), std::string::npos);
  chart.reference_label = "a & b";
  EXPECT_NE(svg_chart(chart).find(">a &amp; b<"), std::string::npos);
}

TEST(Chart, ConstantAndMissingCurves) {
  EXPECT_EQ(svg_chart({.points = {}}), "");
  EXPECT_EQ(svg_chart({.points = {{0, 1}, {1, NAN}}}), "");
  for (const double level : {0.0, 5.0, -1e-9, 1e9})
    EXPECT_EQ(svg_chart({.points = {{0, level}, {1, level}}}).find("nan"), std::string::npos)
        << level;
}

TEST(ShortNumber, ReadsWell) {
  EXPECT_EQ(short_number(0), "0");
  EXPECT_EQ(short_number(0.00125), "0.00125");
  EXPECT_EQ(short_number(1.5e-5), "1.5e-5");
  EXPECT_EQ(short_number(1e-4), "1e-4");
  EXPECT_EQ(short_number(6.2383), "6.238");
  EXPECT_EQ(short_number(12345), "12.35k");
  EXPECT_EQ(short_number(3e6), "3M");
}

}  // namespace
}  // namespace dino::run
