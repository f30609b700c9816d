// Lists as text, CSV and JSON Lines.
#include <gtest/gtest.h>

#include "tests/data/source_folder.h"

namespace dino::data {
namespace {

using Names = std::vector<std::string>;
using Labels = std::vector<std::int64_t>;

class DatasetList : public testing::Test {
 protected:
  std::unique_ptr<Dataset> open(const std::string& name, std::string_view text) {
    return open_dataset(temp_.write(name, text), 1);
  }
  Names names(const Dataset& data) {
    Names found;
    for (const std::string& name : names_in(data))
      found.push_back(std::filesystem::path(name).lexically_relative(temp_.path()).native());
    return found;
  }
  std::string refusal(const std::string& name, std::string_view text,
                      ErrorKind kind = ErrorKind::Data) {
    return refusal_of(kind, [&] { open(name, text); });
  }
  SourceFolder temp_;
};

TEST_F(DatasetList, CsvWithAHeading) {
  const auto data = open("a.csv",
                         "id,filename,width,class\r\n"
                         "1,\"a, \"\"b\"\".png\",3,\"two\nlines\"\r\n"
                         "\r\n"
                         "2,c.png,\"4\",cat\r\n");
  EXPECT_EQ(names(*data), (Names{"a, \"b\".png", "c.png"}));
  EXPECT_EQ(data->class_names(), (Names{"cat", "two\nlines"}));
  EXPECT_EQ(labels_in(*data), (Labels{1, 0}));
  EXPECT_EQ(open("b.csv", "path\nx.png\n")->label(0), -1);
}

TEST_F(DatasetList, CsvWithoutAHeadingMayQuote) {
  const auto data = open("a.csv", "\"x,y.png\",\"a \"\"b\"\"\"\nplain.png,c\n");
  EXPECT_EQ(names(*data), (Names{"x,y.png", "plain.png"}));
  EXPECT_EQ(data->class_names(), (Names{"a \"b\"", "c"}));
}

TEST_F(DatasetList, JsonLines) {
  const auto data = open("a.jsonl",
                         "{\"path\": \"a.png\", \"label\": 10, \"more\": [1]}\n\n"
                         "{\"label\": 2, \"path\": \"caf\\u00e9.png\"}\n");
  EXPECT_EQ(names(*data), (Names{"a.png", "caf\xc3\xa9.png"}));
  EXPECT_EQ(data->class_names(), (Names{"2", "10"}));
  EXPECT_EQ(open("b.jsonl", "{\"file_name\": \"a.png\", \"label\": null}")->label(0), -1);
}

TEST_F(DatasetList, HostileListsNameTheLine) {
  says(refusal("a.csv", "path,label\nx.png,1\ny.png\n"), "a.csv:3: 1 fields");
  says(refusal("b.csv", "path\n\"x.png\n"), "never closed");
  says(refusal("c.csv", "path\nx\"y.png\n"), "c.csv:2: a quote");
  says(refusal("d.csv", "path\nx.doc\n"), "d.csv:2: 'x.doc'");
  says(refusal("e.csv", "name,size\nx.png,1\n"), "e.csv:1: 'name'");
  says(refusal("f.csv", "path,label\nx.png,1\ny.png,\n"), "f.csv:3: the line has no label");
  says(refusal("g.csv", "path\n"), "names no images");
  says(refusal("a.jsonl", "{\"path\": \"a.png\"}\n{\"path\": 1}\n"), "a.jsonl:2");
  says(refusal("b.jsonl", "[]\n"), "b.jsonl:1");
  says(refusal("c.jsonl", "{\"path\": \"a.png\", \"label\": [1]}\n"), "\"label\"");
  says(refusal("d.jsonl", "{\"path\": ", ErrorKind::Format), "d.jsonl:1");
  says(refusal("e.jsonl", "{\"path\": \"a\\u0000.png\"}\n"), "e.jsonl:1");
  says(refusal("f.jsonl", ""), "names no images");
}

}  // namespace
}  // namespace dino::data
