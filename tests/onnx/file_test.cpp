// The file: kept only when all are content, large ones in two parts, damaged ones refused.
#include "dino/onnx/file.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <fstream>

#include "dino/base/error.h"
#include "dino/base/file.h"
#include "tests/temp_dir.h"

namespace dino::onnx {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kRows = 200, kColumns = 300;  // large enough for the data file

/** y = x W + 1 */
Graph product() {
  Graph graph;
  graph.inputs = {{"x", {"batch", kRows}}};
  graph.outputs = {{"y", {"batch", kColumns}}};
  graph.constants = {{"W",
                      format::DType::F32,
                      {kRows, kColumns},
                      [](std::span<std::byte> out) {
                        std::vector<float> values(out.size() / sizeof(float));
                        for (std::size_t i = 0; i < values.size(); ++i)
                          values[i] = static_cast<float>(i);
                        std::memcpy(out.data(), values.data(), out.size());
                      }},
                     {"one", format::DType::F32, {}, [](std::span<std::byte> out) {
                        const float one = 1;
                        std::memcpy(out.data(), &one, sizeof one);
                      }}};
  graph.nodes = {{"MatMul", {"x", "W"}, {"xW"}, {}}, {"Add", {"xW", "one"}, {"y"}, {}}};
  graph.metadata = {{"author", "test"}};
  return graph;
}

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename());
  std::ranges::sort(names);
  return names;
}

class OnnxFileTest : public testing::Test {
 protected:
  void expect_refused(const fs::path& path, const char* part, ErrorKind kind) const {
    try {
      read(path);
      FAIL() << "read " << path;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), kind) << error.what();
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
    }
  }
  test::TempDir folder_;
  const std::function<void(const Graph&)> no_check_ = [](const Graph&) {};
};

TEST_F(OnnxFileTest, ComesBackAsWritten) {
  for (const std::int64_t inline_bytes : {1 << 30, 1000}) {
    write(folder_ / "m.onnx", product(), no_check_, {.inline_bytes = inline_bytes});
    const Graph graph = read(folder_ / "m.onnx");
    EXPECT_EQ(graph.metadata.at("author"), "test");
    ASSERT_EQ(graph.nodes.size(), 2u);
    EXPECT_EQ(graph.nodes[0].op, "MatMul");
    ASSERT_EQ(graph.constants.size(), 2u);
    std::vector<float> values(kRows * kColumns);
    graph.constants[0].fill(std::as_writable_bytes(std::span(values)));
    for (std::size_t i = 0; i < values.size(); ++i) ASSERT_EQ(values[i], static_cast<float>(i));
  }
  EXPECT_EQ(names_in(folder_.path()), (std::vector<std::string>{"m.onnx", "m.onnx.data"}));
  EXPECT_LT(fs::file_size(folder_ / "m.onnx"), 2000u);
}

TEST_F(OnnxFileTest, IsKeptOnlyIfTheCheckIsContent) {
  write_file_atomically(folder_ / "m.onnx", "old");
  EXPECT_THROW(
      write(folder_ / "m.onnx", product(),
            [](const Graph&) { fail(ErrorKind::Internal, "[test] no"); }, {.inline_bytes = 0}),
      Error);
  EXPECT_EQ(read_text_file(folder_ / "m.onnx"), "old");
  EXPECT_EQ(names_in(folder_.path()), std::vector<std::string>{"m.onnx"});
}

TEST_F(OnnxFileTest, WritesNothingThatLibonnxRefuses) {
  const auto message_of = [&](const Graph& graph) -> std::string {
    try {
      write(folder_ / "m.onnx", graph, no_check_);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::Internal);
      return error.what();
    }
    return "";
  };
  Graph graph = product();
  graph.nodes[1].op = "Addd";
  EXPECT_NE(message_of(graph).find("Addd"), std::string::npos);
  graph = product();
  graph.nodes[0].inputs[0] = "nothing";
  EXPECT_NE(message_of(graph).find("nothing"), std::string::npos);
  graph = product();
  graph.constants[0].shape = {kColumns, kRows};  // shapes no longer fit
  EXPECT_NE(message_of(graph).find("libonnx"), std::string::npos);
  EXPECT_TRUE(names_in(folder_.path()).empty());
}

TEST_F(OnnxFileTest, RefusesDamage) {
  expect_refused(folder_ / "none.onnx", "none.onnx", ErrorKind::Io);
  write_file_atomically(folder_ / "text.onnx", "no protobuf at all");
  expect_refused(folder_ / "text.onnx", "no ONNX file", ErrorKind::Format);
  write_file_atomically(folder_ / "empty.onnx", "");
  expect_refused(folder_ / "empty.onnx", "no ONNX file", ErrorKind::Format);

  write(folder_ / "m.onnx", product(), no_check_);
  const std::string whole = read_text_file(folder_ / "m.onnx");
  for (const std::size_t length : {whole.size() - 1, whole.size() / 2, std::size_t{10}}) {
    write_file_atomically(folder_ / "cut.onnx", whole.substr(0, length));
    EXPECT_THROW(read(folder_ / "cut.onnx"), Error) << length;
  }
}

/** Any byte may be wrong: what is read then has constants of the size that their shapes say. */
TEST_F(OnnxFileTest, SurvivesDamage) {
  write(folder_ / "m.onnx", product(), no_check_, {.inline_bytes = 0});
  const std::string whole = read_text_file(folder_ / "m.onnx");
  int refused = 0, read_anyway = 0;
  for (std::size_t i = 0; i < whole.size(); ++i)
    for (const int change : {0x01, 0x80, 0xff}) {
      std::string damaged = whole;
      damaged[i] = static_cast<char>(damaged[i] ^ change);
      std::ofstream(folder_ / "bad.onnx", std::ios::binary) << damaged;
      try {
        for (const Constant& constant : read(folder_ / "bad.onnx").constants) {
          for (const std::int64_t size : constant.shape) EXPECT_GE(size, 0);
          std::vector<std::byte> bytes(
              static_cast<std::size_t>(format::byte_count(constant.dtype, constant.shape)));
          constant.fill(bytes);
        }
        ++read_anyway;
      } catch (const Error& error) {
        EXPECT_TRUE(error.kind() == ErrorKind::Format || error.kind() == ErrorKind::Io)
            << error.what();
        ++refused;
      }
    }
  EXPECT_GT(refused, 300);
  EXPECT_GT(read_anyway, 100) << "names and such";
}

TEST_F(OnnxFileTest, RefusesDataThatIsNotThere) {
  write(folder_ / "m.onnx", product(), no_check_, {.inline_bytes = 0});
  const std::string whole = read_text_file(folder_ / "m.onnx");
  const auto replaced = [&](const std::string& from, const std::string& to) {
    std::string text = whole;
    text.replace(text.find(from), from.size(), to);
    write_file_atomically(folder_ / "bad.onnx", text);
    return folder_ / "bad.onnx";
  };
  expect_refused(replaced("m.onnx.data", "../pass.txt"), "not beside it", ErrorKind::Format);
  expect_refused(replaced("m.onnx.data", "m.onnx.dat?"), "m.onnx.dat?", ErrorKind::Io);
  expect_refused(replaced("240000", "239999"), "W", ErrorKind::Format);
  expect_refused(replaced("240000", "24x000"), "W", ErrorKind::Format);
  fs::resize_file(folder_ / "m.onnx.data", 100'000);
  expect_refused(folder_ / "m.onnx", "W", ErrorKind::Format);
}

}  // namespace
}  // namespace dino::onnx
