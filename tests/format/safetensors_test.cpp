#include "dino/format/safetensors.h"

#include <fmt/format.h>

#include <array>
#include <cstring>

#include "dino/base/file.h"
#include "tests/format/hostile.h"
#include "tests/format/tensor_checks.h"
#include "tests/temp_dir.h"

namespace dino::format {
namespace {

// ---- What the format's own library wrote --------------------------------------------------------

TEST(SafetensorsFile, ReadsEveryTypeOfTheOriginal) {
  const SafetensorsFile file(golden("torch.safetensors"));
  EXPECT_EQ(file.tensors().size(), 16u);
  EXPECT_EQ(file.metadata().at("format"), "pt");
  EXPECT_EQ(file.metadata().at("note"), "naïve");
  expect_plain_golden(file);
  expect_ramp<std::uint64_t>(file, DType::U64, 0);
  expect_ramp<std::uint32_t>(file, DType::U32, 0);
  expect_ramp<std::uint16_t>(file, DType::U16, 0);
}

TEST(SafetensorsFile, RecordsOutliveTheObject) {
  TensorRecord record;
  {
    const SafetensorsFile file(golden("torch.safetensors"));
    record = *file.find("scalar");
  }
  EXPECT_EQ(values<float>(&record), std::vector<float>{0.5f});
}

// ---- What we write ------------------------------------------------------------------------------

// tests/golden/format/make.py has read this very file with the original library.
TEST(WriteSafetensors, WriterBytesArePinned) {
  test::TempDir dir;
  const Sample sample;
  write_safetensors(dir / "a", sample.records(), {{"made_by", "dino.cpp"}});
  EXPECT_EQ(read_file(dir / "a"), read_file(golden("ours.safetensors")));
}

TEST(WriteSafetensors, RoundTripInOrderOfWidth) {
  test::TempDir dir;
  const Sample sample;
  write_safetensors(dir / "a", sample.records());
  const SafetensorsFile file(dir / "a");
  EXPECT_TRUE(file.metadata().empty());
  std::vector<std::string> names;
  for (const TensorRecord& record : file.tensors()) {
    names.push_back(record.name);
    if (record.bytes.empty()) continue;
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(record.bytes.data()) % item_bytes(record.dtype), 0u);
  }
  EXPECT_EQ(names, (std::vector<std::string>{"ids", "a", "Ω", "b"}));
  EXPECT_EQ(values<float>(file.find("a")), (std::vector<float>{1, 2, 3, 4}));
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(file.find("ids")->bytes.data()) % 64, 0u);
}

TEST(WriteSafetensors, NothingAtAll) {
  test::TempDir dir;
  write_safetensors(dir / "a", {});
  EXPECT_TRUE(SafetensorsFile(dir / "a").tensors().empty());
}

TEST(WriteSafetensors, OverAFileThatIsMapped) {
  test::TempDir dir;
  const Sample sample;
  write_safetensors(dir / "a", sample.records());
  const SafetensorsFile old(dir / "a");
  // A checkpoint may be rewritten from tensors that still borrow its bytes.
  write_safetensors(dir / "a", old.tensors(), {{"round", "2"}});
  EXPECT_EQ(values<std::int64_t>(old.find("ids"))[0], -1);
  EXPECT_EQ(SafetensorsFile(dir / "a").metadata().at("round"), "2");
}

TEST(WriteSafetensors, RefusesWhatReadersWouldRefuse) {
  test::TempDir dir;
  const std::array<float, 4> data{};
  const auto bytes = std::as_bytes(std::span(data));
  const auto expect_usage = [&](std::vector<TensorRecord> records,
                                std::map<std::string, std::string> metadata = {}) {
    expect_usage_error(dir / "a", [&] { write_safetensors(dir / "a", records, metadata); });
  };
  expect_usage({{"x", DType::F32, {4}, bytes}, {"x", DType::F32, {4}, bytes}});
  expect_usage({{"x", DType::F32, {5}, bytes}});
  expect_usage({{"x", DType::F64, {4}, bytes}});
  expect_usage({{"__metadata__", DType::F32, {4}, bytes}});
  expect_usage({{"caf\xE9", DType::F32, {4}, bytes}});
  expect_usage({}, {{"name", "caf\xE9"}});
}

// ---- Hostile files ------------------------------------------------------------------------------

std::string length_field(std::uint64_t length) {
  std::string field(8, '\0');
  std::memcpy(field.data(), &length, 8);
  return field;
}

std::string file_of(std::string_view header, std::size_t data_bytes) {
  return length_field(header.size()) + std::string(header) + std::string(data_bytes, '\0');
}

void expect_refused_file(const std::string& file, std::string_view reason) {
  expect_refused([&] { SafetensorsFile(bytes_of(file), "hostile.bin"); }, reason);
}

/** One entry "x" of these properties and `data_bytes` of data. */
void expect_refused_entry(std::string_view properties, std::size_t data_bytes,
                          std::string_view reason) {
  expect_refused_file(file_of(fmt::format(R"({{"x":{{{}}}}})", properties), data_bytes), reason);
}

constexpr std::string_view kGoodEntry = R"("dtype":"F32","shape":[2],"data_offsets":[0,8])";

TEST(SafetensorsHostile, TheGoodEntryIsGood) {
  const std::string file = file_of(fmt::format(R"({{"x":{{{}}}}})", kGoodEntry), 8);
  EXPECT_NO_THROW(SafetensorsFile(bytes_of(file), "x"));
}

TEST(SafetensorsHostile, FilesOnDiskAreNamed) {
  test::TempDir dir;
  write_file_atomically(dir / "hostile.bin", "");
  expect_refused([&] { SafetensorsFile(dir / "hostile.bin"); }, "0 bytes are too few");
  EXPECT_THROW(SafetensorsFile(dir / "missing"), Error);
  EXPECT_THROW(SafetensorsFile(dir.path()), Error);
}

TEST(SafetensorsHostile, LengthField) {
  expect_refused_file("", "too few");
  expect_refused_file("1234567", "too few");
  expect_refused_file(length_field(0), "does not start with '{'");
  expect_refused_file(length_field(100), "cut short");
  expect_refused_file(length_field(50'000'000) + "{}", "cut short");
  expect_refused_file(length_field(100'000'001) + "{}", "at most");
  expect_refused_file(length_field(UINT64_MAX) + "{}", "at most");
  expect_refused_file(length_field(UINT64_MAX - 7) + "{}", "at most");
  expect_refused_file("PK\x03\x04 this is a zip file, not a safetensors file",
                      "is it a safetensors file?");
}

TEST(SafetensorsHostile, HeaderText) {
  expect_refused_file(file_of("[]", 0), "does not start with '{'");
  expect_refused_file(file_of(" {}", 0), "does not start with '{'");
  expect_refused_file(file_of("{", 0), "not valid JSON");
  expect_refused_file(file_of("{} x", 0), "not valid JSON");
  expect_refused_file(file_of(std::string_view("{}\0", 3), 0), "not valid JSON");
  expect_refused_file(file_of("{\"caf\xE9\":1}", 0), "not valid JSON");
  expect_refused_file(file_of("{\"x\":" + std::string(5'000'000, '['), 0), "nested deeper");
  expect_refused_file(file_of("{\"" + std::string(5'000'000, 'x'), 0), "not valid JSON");
}

TEST(SafetensorsHostile, SameNameTwice) {
  expect_refused_file(
      file_of(fmt::format(R"({{"x":{{{}}},"x":{{{}}}}})", kGoodEntry, kGoodEntry), 8), "twice");
  expect_refused_file(file_of(R"({"__metadata__":{"a":"1","a":"2"}})", 0), "twice");
  expect_refused_entry(R"("dtype":"F32","dtype":"I32","shape":[2],"data_offsets":[0,8])", 8,
                       "twice");
}

TEST(SafetensorsHostile, Metadata) {
  expect_refused_file(file_of(R"({"__metadata__":[]})", 0), "not an object");
  expect_refused_file(file_of(R"({"__metadata__":{"a":1}})", 0), "'a' is not a string");
}

TEST(SafetensorsHostile, MissingOrWrongProperties) {
  expect_refused_file(file_of(R"({"x":5})", 0), "'x' has no shape");
  expect_refused_file(file_of(R"({"x":[]})", 0), "'x' has no shape");
  expect_refused_entry(R"("dtype":"F32","data_offsets":[0,8])", 8, "has no shape");
  expect_refused_entry(R"("shape":[2],"data_offsets":[0,8])", 8, "has no dtype");
  expect_refused_entry(R"("dtype":"F32","shape":[2])", 8, "has no data_offsets");
  expect_refused_entry(R"("dtype":"F8_E8M0","shape":[8],"data_offsets":[0,8])", 8, "F8_E8M0");
  expect_refused_entry(R"("dtype":7,"shape":[2],"data_offsets":[0,8])", 8, "dtype 7");
  expect_refused_entry(R"("dtype":"F32","shape":2,"data_offsets":[0,8])", 8, "not a list");
  expect_refused_entry(R"("dtype":"F32","shape":[-2],"data_offsets":[0,8])", 8, "than a size");
  expect_refused_entry(R"("dtype":"F32","shape":[2.0],"data_offsets":[0,8])", 8, "than a size");
  expect_refused_entry(R"("dtype":"F32","shape":["2"],"data_offsets":[0,8])", 8, "than a size");
  expect_refused_entry(R"("dtype":"F32","shape":[9223372036854775808],"data_offsets":[0,8])", 8,
                       "than a size");
}

TEST(SafetensorsHostile, ShapeAgainstBytes) {
  expect_refused_entry(R"("dtype":"F32","shape":[3],"data_offsets":[0,8])", 8, "does not fit");
  expect_refused_entry(R"("dtype":"F64","shape":[2],"data_offsets":[0,8])", 8, "does not fit");
  expect_refused_entry(R"("dtype":"F32","shape":[],"data_offsets":[0,8])", 8, "does not fit");
  expect_refused_entry(R"("dtype":"F32","shape":[0],"data_offsets":[0,8])", 8, "does not fit");
  // 2^32 x 2^32 is 0 modulo 2^64; 2^62 x 4 bytes too.
  expect_refused_entry(R"("dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,0])", 0,
                       "more than 2^63");
  expect_refused_entry(R"("dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,0])", 0,
                       "more than 2^63");
}

TEST(SafetensorsHostile, OffsetsOfOneTensor) {
  expect_refused_entry(R"("dtype":"F32","shape":[2],"data_offsets":[0,8])", 7, "cut short");
  expect_refused_entry(R"("dtype":"F32","shape":[2],"data_offsets":[8,0])", 8, "leave the file's");
  expect_refused_entry(R"("dtype":"F32","shape":[2],"data_offsets":[0])", 8, "leave the file's");
  expect_refused_entry(R"("dtype":"F32","shape":[2],"data_offsets":[0,8,16])", 16,
                       "leave the file's");
  expect_refused_entry(R"("dtype":"F32","shape":[2],"data_offsets":[-8,0])", 8, "than a size");
  expect_refused_entry(
      R"("dtype":"F32","shape":[2],"data_offsets":[9223372036854775800,9223372036854775807])", 8,
      "leave the file's");
  expect_refused_entry(R"("dtype":"F32","shape":[2],"data_offsets":[4,12])", 12, "hole");
  expect_refused_entry(R"("dtype":"F32","shape":[2],"data_offsets":[0,8])", 9,
                       "1 bytes after the last");
  expect_refused_file(file_of("{}", 3), "3 bytes after the last");
}

TEST(SafetensorsHostile, OffsetsOfSeveralTensors) {
  const auto two = [](int begin, int end) {
    return fmt::format(R"({{"x":{{{}}},"y":{{"dtype":"U8","shape":[{}],"data_offsets":[{},{}]}}}})",
                       kGoodEntry, end - begin, begin, end);
  };
  EXPECT_NO_THROW(SafetensorsFile(bytes_of(file_of(two(8, 12), 4 + 8)), ""));
  expect_refused_file(file_of(two(4, 12), 12), "'y' overlaps");
  expect_refused_file(file_of(two(0, 8), 8), "overlaps");
  expect_refused_file(file_of(two(2, 4), 8), "'y' overlaps");  // inside
  expect_refused_file(file_of(two(4, 4), 8), "'y' overlaps");  // empty, inside
  expect_refused_file(file_of(two(9, 12), 12), "'y' leaves a hole");
  expect_refused_file(file_of(two(8, 12), 13), "1 bytes after");
}

TEST(SafetensorsHostile, EveryCutAndEveryChangedByte) {
  expect_survives_damage(text_of(read_file(golden("ours.safetensors"))),
                         [](auto bytes) { SafetensorsFile(bytes, "hostile.bin"); });
}

}  // namespace
}  // namespace dino::format
