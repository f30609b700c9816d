#include "dino/format/sharded_safetensors.h"

#include <fmt/format.h>

#include <array>
#include <cstring>

#include "dino/base/file.h"
#include "dino/format/safetensors.h"
#include "tests/format/hostile.h"
#include "tests/temp_dir.h"

namespace dino::format {
namespace {

TEST(ShardedSafetensors, ReadsWhatTheOriginalWrote) {
  const ShardedSafetensors file(golden("sharded/model.safetensors.index.json"));
  ASSERT_EQ(file.tensors().size(), 3u);
  EXPECT_EQ(file.find("a")->shape, (std::vector<std::int64_t>{2, 3}));
  EXPECT_EQ(file.find("b")->dtype, DType::BF16);
  EXPECT_EQ(file.find("c")->dtype, DType::F8_E5M2);
  EXPECT_EQ(file.find("c")->bytes.size(), 3u);
  EXPECT_EQ(file.find("d"), nullptr);
  EXPECT_EQ(file.metadata().at("total_size"), "35");
}

TEST(ShardedSafetensors, RecordsOutliveTheObject) {
  TensorRecord record;
  {
    const ShardedSafetensors file(golden("sharded/model.safetensors.index.json"));
    record = *file.find("a");
  }
  float first = 0;
  std::memcpy(&first, record.bytes.data(), sizeof first);
  EXPECT_EQ(first, -2);
}

// ---- Hostile indexes ----------------------------------------------------------------------------

/** A folder with two good files: "a" and "b" in one.safetensors, "c" in two.safetensors. */
class ShardedHostile : public testing::Test {
 protected:
  ShardedHostile() {
    write("one.safetensors", {"a", "b"});
    write("two.safetensors", {"c"});
  }

  void write(const std::string& file, const std::vector<std::string>& names) {
    std::vector<TensorRecord> records;
    for (const std::string& name : names) {
      records.push_back({name, DType::F32, {1}, std::as_bytes(std::span(value_))});
    }
    write_safetensors(dir_ / file, records);
  }

  ShardedSafetensors open(std::string_view json) {
    write_file_atomically(dir_ / "hostile.bin", json);
    return ShardedSafetensors(dir_ / "hostile.bin");
  }
  void expect_refused_index(std::string_view json, std::string_view reason) {
    SCOPED_TRACE(json.substr(0, 100));
    expect_refused([&] { open(json); }, reason);
  }
  static std::string map(std::string_view entries) {
    return fmt::format(R"({{"weight_map": {{{}}}}})", entries);
  }

  test::TempDir dir_;
  std::array<float, 1> value_ = {1};
};

constexpr std::string_view kAll =
    R"("a": "one.safetensors", "b": "one.safetensors", "c": "two.safetensors")";

TEST_F(ShardedHostile, TheGoodIndexIsGood) {
  EXPECT_EQ(open(map(kAll)).tensors().size(), 3u);
  EXPECT_TRUE(open(map(kAll)).metadata().empty());
}

TEST_F(ShardedHostile, Text) {
  expect_refused_index("", "not valid JSON");
  expect_refused_index("{", "not valid JSON");
  expect_refused_index("[]", "has no weight_map");
  expect_refused_index("{}", "has no weight_map");
  expect_refused_index(R"({"weight_map": []})", "has no weight_map");
  expect_refused_index(R"({"weight_map": {}})", "is empty");
  expect_refused_index(R"({"weight_map": {"a": "x", "a": "y"}})", "twice");
  expect_refused_index(R"({"weight_map": {"a": 1}})", "in 1, which is not the name of a file");
  expect_refused_index(R"({"weight_map": {"a": ["one.safetensors"]}})", "not the name of a file");
  expect_refused_index(R"({"weight_map": {"a": "x"}, "metadata": 7})", "metadata is not an object");
  expect_refused_index("{\"weight_map\": {\"caf\xE9\": \"x\"}}", "not valid JSON");
  expect_refused_index(std::string("{\"weight_map\":") + std::string(1'000'000, '['),
                       "nested deeper");
  std::string many;
  for (int i = 0; i <= 10'000; ++i) many += fmt::format("{}\"{}\": \"{}\"", i ? "," : "", i, i);
  expect_refused_index(map(many), "more than 10000 files");
}

TEST_F(ShardedHostile, FilesElsewhere) {
  std::filesystem::create_directory(dir_ / "folder");
  write("folder/x.safetensors", {"a"});
  const std::string absolute = (dir_ / "one.safetensors").string();
  for (const std::string& file :
       {std::string("../one.safetensors"), std::string("folder/x.safetensors"), absolute,
        std::string(".."), std::string("."), std::string(), std::string("..\\\\one.safetensors"),
        std::string("one.safetensors\\u0000"), std::string(300, 'x')}) {
    expect_refused_index(map(fmt::format(R"("a": "{}")", file)), "not the name of a file");
  }
}

TEST_F(ShardedHostile, FilesThatDoNotAgree) {
  expect_refused_index(map(R"("a": "three.safetensors")"), "names 'three.safetensors', which is");
  expect_refused_index(map(R"("a": "one.safetensors", "c": "two.safetensors")"),
                       "'one.safetensors' holds 'b', which the index does not list");
  expect_refused_index(map(fmt::format(R"({}, "d": "two.safetensors")", kAll)),
                       "'two.safetensors' should hold 'd' but does not");
  expect_refused_index(
      map(R"("a": "one.safetensors", "b": "two.safetensors", "c": "two.safetensors")"),
      "'one.safetensors' holds 'b', which should be in 'two.safetensors'");
  write("two.safetensors", {"c", "a"});  // the same name in two files
  expect_refused_index(map(kAll), "'two.safetensors' holds 'a', which should be in");
}

TEST_F(ShardedHostile, FilesThatAreBad) {
  write_file_atomically(dir_ / "two.safetensors", "short");
  EXPECT_THROW(open(map(kAll)), Error);
  std::filesystem::remove(dir_ / "two.safetensors");
  std::filesystem::create_directory(dir_ / "two.safetensors");
  EXPECT_THROW(open(map(kAll)), Error);
  EXPECT_THROW(ShardedSafetensors(dir_ / "missing"), Error);
}

TEST(SafetensorsIndex, EveryCutAndEveryChangedByte) {
  const std::string good = R"({"metadata":{"n":1,"s":"t"},"weight_map":{"a":"x","b":"y"}})";
  expect_survives_damage(
      good, [](auto bytes) { parse_safetensors_index(text_of(bytes), "hostile.bin"); });
}

}  // namespace
}  // namespace dino::format
