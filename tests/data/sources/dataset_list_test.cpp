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

TEST_F(DatasetList, HeadingsOfEveryKind) {
  for (const char* key : {"path", "Path", "FILEPATH", "file_path", "image_path", "Image Path",
                          "imagePath", "file_name", "filename", "FileName", "image", "Image",
                          "file", "img", "image-name", "Image Index"})
    for (const char* label : {"label", "Label", "CLASS", "class_name", "category", "Target"})
      for (const char delimiter : {',', ';', '\t', '|'})
        for (const char* mark : {"", "\xef\xbb\xbf"})
          for (const char* end : {"\n", "\r\n"}) {
            const std::string text =
                fmt::format("{0}{1}{2}{3}{2}more{4}b.png{2}dog{2}1{4}a.png{2}\"cat\"{2}2{4}", mark,
                            key, delimiter, label, end);
            SCOPED_TRACE(text);
            for (const char* name : {"a.csv", "a.txt", "a.tsv", "A.CSV"}) {
              const auto data = open(name, text);
              EXPECT_EQ(names(*data), (Names{"b.png", "a.png"}));
              EXPECT_EQ(data->class_names(), (Names{"cat", "dog"}));
              EXPECT_EQ(labels_in(*data), (Labels{1, 0}));
            }
          }
}

TEST_F(DatasetList, TheBestOfSeveralColumnsIsTaken) {
  const auto data = open("a.csv", "image,label_id,path,label\n7,3,x.png,cat\n");
  EXPECT_EQ(names(*data), Names{"x.png"});
  EXPECT_EQ(data->class_names(), Names{"cat"});
  EXPECT_EQ(open("c.csv", "sep=;\r\nPath;Label\r\nx.png;cat\r\n")->class_names(), Names{"cat"});
  // As pandas writes its index.
  EXPECT_EQ(names(*open("b.csv", ",Path\n0,y.png\n")), Names{"y.png"});
}

TEST_F(DatasetList, AHeadingWithoutLabelsIsTold) {
  const auto data = open("a.csv", "path,diagnosis\nx.png,3\n");
  EXPECT_TRUE(data->class_names().empty());
  ASSERT_EQ(data->notes().size(), 1u);
  says(describe(data->notes()[0]), "diagnosis");
}

TEST_F(DatasetList, PlainLinesWithBlanksAndDelimiters) {
  const auto data = open("a.txt",
                         "five/0.png 0\nmy photo.png 1\na,b.png\t2\nc.jpeg,0\nd.png;1\n"
                         "e.png golden retriever\nf g.png\n");
  EXPECT_EQ(names(*data), (Names{"five/0.png", "my photo.png", "a,b.png", "c.jpeg", "d.png",
                                 "e.png", "f g.png"}));
  EXPECT_EQ(data->class_names(), (Names{"0", "1", "2", "golden retriever"}));
  EXPECT_EQ(labels_in(*data), (Labels{0, 1, 2, 0, 1, 3, -1}));
}

TEST_F(DatasetList, APathMayBeListedTwice) {
  const auto data = open("a.csv", "path,label\nx.png,cat\nx.png,dog\n");
  EXPECT_EQ(names(*data), (Names{"x.png", "x.png"}));
  EXPECT_EQ(labels_in(*data), (Labels{0, 1}));
}

TEST_F(DatasetList, RowsWithoutAUsableLabelHaveNone) {
  const auto data = open("a.csv", "path,label\nx.png,1\ny.png,\nz.png,2.0\n");
  EXPECT_EQ(labels_in(*data), (Labels{0, -1, 1}));
  EXPECT_EQ(data->class_names(), (Names{"1", "2"}));
  const auto json = open("a.jsonl",
                         "{\"path\": \"a.png\", \"label\": [1, 2]}\n"
                         "{\"Image\": \"b.png\", \"Label\": 3.0, \"score\": NaN}\n"
                         "{\"path\": \"c.png\", \"label\": [0, 0, 1]}\n"
                         "{\"path\": \"d.png\"}\n");
  EXPECT_EQ(labels_in(*json), (Labels{-1, 1, 0, -1}));
  EXPECT_EQ(json->class_names(), (Names{"2", "3"}));
  ASSERT_EQ(json->notes().size(), 1u);
  says(describe(json->notes()[0]), "a.jsonl:1");
}

TEST_F(DatasetList, NamesNeedNoExtensionIfTheFileIsThere) {
  temp_.write("d", png(1));
  temp_.write("deep/f.old", png(2));
  const auto data = open("a.txt", "d 1\ndeep\\f.old,2\n");
  EXPECT_EQ(names(*data), (Names{"d", "deep/f.old"}));
  EXPECT_EQ(values_in(*data), (std::vector<int>{1, 2}));
  temp_.write("clip.mp4", "film");
  const auto films = open("b.csv", "path\nclip.mp4\nd\n");
  EXPECT_EQ(names(*films), Names{"d"});
  ASSERT_EQ(films->notes().size(), 1u);
  says(describe(films->notes()[0]), "a video");
}

TEST_F(DatasetList, HostileListsNameTheLine) {
  says(refusal("a.csv", "path,label\nx.png,1\ny.png\n"), "a.csv:3: 1 fields");
  says(refusal("b.csv", "path\n\"x.png\n"), "never closed");
  says(refusal("c.csv", "path\nx\"y.png\n"), "c.csv:2: a quote");
  says(refusal("d.csv", "path\nx.doc\n"), "d.csv:2: 'x.doc'");
  const std::string heading = refusal("e.csv", "name,size\nx.png,1\n");
  says(heading, "e.csv:1: 'name,size'");
  says(heading, "file_name");
  says(refusal("g.csv", "path\n"), "names no images");
  says(refusal("h.csv", "path\n\na,b\n"), "h.csv:3: 2 fields");
  temp_.write("note.doc", "words");
  says(refusal("i.csv", "path\nnote.doc\n"), "it is text");
  says(refusal("j.csv", std::string("\xff\xfep\0a\0", 6)), "UTF-16");
  says(refusal("a.jsonl", "{\"path\": \"a.png\"}\n{\"path\": 1}\n"), "a.jsonl:2");
  says(refusal("b.jsonl", "[]\n"), "b.jsonl:1");
  says(refusal("d.jsonl", "{\"path\": ", ErrorKind::Format), "d.jsonl:1");
  says(refusal("e.jsonl", "{\"path\": \"a\\u0000.png\"}\n"), "e.jsonl:1");
  says(refusal("f.jsonl", ""), "names no images");
}

}  // namespace
}  // namespace dino::data
