// Labels as people write them: in side files, JSON, arrays; and side files that are no labels.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "dino/data/sources/label_text.h"
#include "dino/data/sources/sample_name.h"
#include "dino/format/npy.h"
#include "tests/data/source_folder.h"

namespace dino::data {
namespace {

using Names = std::vector<std::string>;
using Labels = std::vector<std::int64_t>;

std::string of_json(std::string_view text) {
  return parse_label(text, true);
}
std::string of_text(std::string_view text) {
  return parse_label(text, false);
}

// The same in arrays, lists, .cls and .json files.
TEST(LabelText, MinusOneAndNanAreNoLabelAnywhere) {
  for (const char* none : {"-1", " -1 ", "-1.0", "nan", "NaN", "NAN\n"}) {
    EXPECT_EQ(label_of_field(none), "") << none;
    EXPECT_EQ(label_of_text(none), "") << none;
  }
  EXPECT_EQ(label_of_json(-1), "");
  EXPECT_EQ(label_of_json(-1.0), "");
  EXPECT_EQ(label_of_json("nan"), "");
  EXPECT_EQ(label_of_field("-2"), "-2");
  EXPECT_EQ(label_of_field("none"), "none");
  EXPECT_EQ(label_of_json(0), "0");
}

TEST(Labels, OfJson) {
  for (const auto& [value, label] : {std::pair{"3", "3"},
                                     {"\"cat\"", "cat"},
                                     {"1.0", "1"},
                                     {"-2", "-2"},
                                     {"\" 7 \"", "7"},
                                     {"[5]", "5"},
                                     {"[\"dog\"]", "dog"},
                                     {"[0, 0, 1, 0]", "2"},
                                     {"[0.0, 1.0]", "1"},
                                     {"[false, true]", "1"},
                                     {"true", "true"},
                                     {"null", ""},
                                     {"[1, 0]", "0"},
                                     {"\"3.0\"", "3"}})
    for (const char* key : {"label", "Label", "cls", "class", "class_name", "category", "TARGET"}) {
      EXPECT_EQ(of_json(fmt::format("{{\"{}\": {}, \"other\": [1, 2]}}", key, value)), label)
          << key << value;
      EXPECT_EQ(of_json(value), label) << "without an object";
    }
  EXPECT_EQ(of_json("{\"caption\": \"x\", \"similarity\": NaN, \"a\": -Infinity}"), "");
  EXPECT_EQ(of_json("{\"caption\": \"NaN\\\"\", \"label\": 4, \"similarity\": NaN}"), "4");
  EXPECT_EQ(of_json("{\"label\": null, \"class\": 4}"), "4");
  EXPECT_EQ(of_json("{\"class\": \"cat\", \"label\": 7}"), "7") << "label counts most";
  for (const char* value : {"1.5", "[1, 2]", "[0, 0]", "[1, 1]", "[]", "\"\"", "1e300",
                            "[\"a\", \"b\"]", "NaN1", "{\"label\": {\"id\": 3}}",
                            "{\"label\": ", "", "\"a\\u0000b\"", "{\"label\": 1, \"label\": 2}"})
    EXPECT_THROW(of_json(value), Error) << value;
}

TEST(Labels, OfText) {
  for (const auto& [text, label] : {std::pair{"3\n", "3"},
                                    {" cat \r\n", "cat"},
                                    {"\xef\xbb\xbf"
                                     "3\r\n",
                                     "3"},
                                    {"1.0", "1"},
                                    {"1.000e+00\n", "1"},
                                    {"[0, 1]", "1"},
                                    {"[tabby]", "[tabby]"},
                                    {"007", "007"},
                                    {"v1.5", "v1.5"},
                                    {"3.5", "3.5"},
                                    {"golden retriever", "golden retriever"}})
    EXPECT_EQ(of_text(text), label);
  for (const std::string& text : {std::string(), std::string(" \n"), std::string(5, '\0'),
                                  std::string(300, 'x'), std::string("\xff\xfe")})
    EXPECT_THROW(of_text(text), Error);
}

TEST(Labels, StemsFromTheNearest) {
  using Stems = std::vector<std::string_view>;
  EXPECT_EQ(label_stems("a.b/im.0.png"), (Stems{"a.b/im.0.png", "a.b/im.0", "a.b/im"}));
  EXPECT_EQ(label_stems("a"), (Stems{"a"}));
  EXPECT_EQ(labeled_by("a/im.0.CLS"), "a/im.0");
  EXPECT_EQ(labeled_by("im.png.json"), "im.png");
  EXPECT_EQ(labeled_by("im.txt"), std::nullopt);
  EXPECT_EQ(labeled_by("a/.cls"), std::nullopt);
}

struct Sample {
  Names names, classes;
  Labels labels;
  std::int64_t noted = 0;
};

/** The same from a tar and a zip archive, where every image loads. */
Sample sample(const Members& members) {
  const SourceFolder temp;
  Sample first;
  for (const std::string& path :
       {temp.write("a.tar", tar(members)), temp.write("a.zip", zip(members))}) {
    const auto data = open_dataset(path, 1);
    for (std::int64_t i = 0; i < data->size(); ++i) EXPECT_NO_THROW(data->load(i));
    Sample found{names_in(*data), data->class_names(), labels_in(*data), 0};
    for (const SourceNote& note : data->notes())
      if (note.what == "label files are no label") found.noted += note.count;
    if (first.names.empty()) first = found;
    EXPECT_EQ(first.labels, found.labels);
    EXPECT_EQ(first.noted, found.noted);
  }
  return first;
}

TEST(SideFiles, ThatAreNoLabelCostNoImage) {
  const Sample none = sample({{"0.png", png(1)},
                              {"0.json", "{\"caption\": \"x\", \"s\": NaN}"},
                              {"1.png", png(2)},
                              {"1.json", "{\"caption\": \"y\"}"}});
  EXPECT_EQ(none.labels, (Labels{-1, -1}));
  EXPECT_TRUE(none.classes.empty());
  EXPECT_EQ(none.noted, 0) << "nothing there claims to be a label";
  const Sample some = sample({{"0.png", png(1)},
                              {"0.json", "{\"label\": [1, 2]}"},
                              {"1.png", png(2)},
                              {"1.cls", std::string(3, '\0')},
                              {"2.png", png(3)},
                              {"2.cls", "cat"},
                              {"3.png", png(4)},
                              {"3.json", "not json"},
                              {"4.png", png(4)},
                              {"4.json", std::string(2 << 20, ' ')},
                              {"5.png", png(4)},
                              {"6.json", "no image asks for it"}});
  EXPECT_EQ(some.labels, (Labels{-1, -1, 0, -1, -1, -1}));
  EXPECT_EQ(some.classes, Names{"cat"});
  EXPECT_EQ(some.noted, 4);
}

TEST(SideFiles, OfWebDatasetAndOfNamesWithDots) {
  const Sample dots = sample({{"im.0.png", png(1)},
                              {"im.0.cls", "0"},
                              {"im.1.png", png(1)},
                              {"im.1.cls", "1"},
                              {"im.2.png", png(1)},
                              {"im.2.json", "2"},
                              {"im.3.png", png(1)}});
  EXPECT_EQ(dots.labels, (Labels{0, 1, 2, -1}));
  const Sample both = sample({{"im.left.png", png(1)},
                              {"im.right.png", png(1)},
                              {"im.cls", "all"},
                              {"im.right.cls", "right"},
                              {"a.png", png(1)},
                              {"a.png.json", "{\"label\": \"whole\"}"}});
  EXPECT_EQ(both.classes, (Names{"all", "right", "whole"}));
  EXPECT_EQ(both.labels, (Labels{2, 0, 1}));
}

TEST(SideFiles, ClsCountsBeforeJsonIfItIsALabel) {
  const Sample found = sample({{"a.json", "{\"label\": 5}"},
                               {"a.png", png(1)},
                               {"a.cls", "4"},
                               {"b.cls", ""},
                               {"b.json", "{\"label\": 5}"},
                               {"b.png", png(1)}});
  EXPECT_EQ(found.classes, (Names{"4", "5"}));
  EXPECT_EQ(found.labels, (Labels{0, 1}));
}

template <typename T>
ArrayLabels of_array(format::DType dtype, std::vector<std::int64_t> shape, std::vector<T> values) {
  return labels_of_array(dtype, shape, std::as_bytes(std::span(values)), "x");
}

TEST(ArrayLabels, OfEveryShapeAndType) {
  using format::DType;
  const Labels expected = {2, 0, 1};
  EXPECT_EQ(of_array<std::int64_t>(DType::I64, {3}, {2, 0, 1}).labels, expected);
  EXPECT_EQ(of_array<std::uint8_t>(DType::U8, {3, 1}, {2, 0, 1}).labels, expected);
  EXPECT_EQ(of_array<float>(DType::F32, {3}, {2, 0, 1}).labels, expected);
  EXPECT_EQ(of_array<double>(DType::F64, {3, 1}, {2, 0, 1}).labels, expected);
  const auto hot = of_array<float>(DType::F32, {3, 4}, {0, 0, 1, 0, 1, 0, 0, 0, 0, 1, 0, 0});
  EXPECT_EQ(hot.labels, expected);
  EXPECT_EQ(hot.class_names, (Names{"0", "1", "2", "3"}));
  EXPECT_EQ(of_array<std::uint8_t>(DType::Bool, {1, 2}, {0, 1}).labels, Labels{1});
}

TEST(ArrayLabels, ThatCannotBeUsedAreNone) {
  using format::DType;
  const auto numbers = of_array<float>(DType::F32, {6}, {1, -1, 0.5F, NAN, -3, INFINITY});
  EXPECT_EQ(numbers.labels, (Labels{1, -1, -1, -1, -1, -1}));
  ASSERT_EQ(numbers.notes.size(), 1u);
  EXPECT_EQ(numbers.notes[0].count, 4) << "-1 means none";
  EXPECT_EQ(numbers.notes[0].example, "x[2]");
  const auto rows = of_array<std::uint8_t>(DType::U8, {3, 2}, {1, 1, 0, 1, 0, 0});
  EXPECT_EQ(rows.labels, (Labels{-1, 1, -1}));
  EXPECT_TRUE(of_array<float>(DType::F32, {2}, {0.5F, 0.25F}).labels.empty());
  const auto huge = of_array<std::int64_t>(DType::I64, {3}, {7'000'000'000, 5, 7'000'000'000});
  EXPECT_EQ(huge.labels, (Labels{1, 0, 1}));
  EXPECT_EQ(huge.class_names, (Names{"5", "7000000000"}));
}

TEST(ArrayLabels, OfNames) {
  const auto found = labels_of_names({"10", "2", "", "10"});
  EXPECT_EQ(found.class_names, (Names{"2", "10"}));
  EXPECT_EQ(found.labels, (Labels{1, 0, -1, 1}));
}

TEST(LabeledImages, LeavesOutTheOthers) {
  const SourceFolder temp;
  const std::string path = temp.write("a.tar", tar({{"0.png", png(1)},
                                                    {"0.cls", "a"},
                                                    {"1.png", png(2)},
                                                    {"2.png", png(3)},
                                                    {"2.cls", "b"}}));
  const auto data = labeled_images(open_dataset(path, 1));
  EXPECT_EQ(values_in(*data), (std::vector<int>{1, 3}));
  EXPECT_EQ(labels_in(*data), (Labels{0, 1}));
}

}  // namespace
}  // namespace dino::data
