// What tests of every container of named tensors share: the tensors of tests/golden/format's plain
// files, a few to write, and the refusal of what no file may hold.
#pragma once
#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <vector>

#include "dino/base/error.h"
#include "dino/format/tensor_record.h"

namespace dino::format {

template <typename T>
std::vector<T> values(const TensorRecord* record) {
  if (record == nullptr) throw std::runtime_error("no such tensor");
  std::vector<T> result(record->bytes.size() / sizeof(T));
  if (!result.empty()) std::memcpy(result.data(), record->bytes.data(), record->bytes.size());
  return result;
}

/** start, start + 1, ... as [2, 3] under the dtype's name. */
template <typename T, typename File>
void expect_ramp(const File& file, DType dtype, int start) {
  const TensorRecord* record = file.find(dtype_name(dtype));
  ASSERT_NE(record, nullptr) << dtype_name(dtype);
  EXPECT_EQ(record->dtype, dtype);
  EXPECT_EQ(record->shape, (std::vector<std::int64_t>{2, 3}));
  std::vector<T> expected;
  for (int i = 0; i < 6; ++i) expected.push_back(static_cast<T>(i + start));
  EXPECT_EQ(values<T>(record), expected);
}

/** The tensors that both plain goldens hold. */
template <typename File>
void expect_plain_golden(const File& file) {
  expect_ramp<double>(file, DType::F64, -2);
  expect_ramp<float>(file, DType::F32, -2);
  expect_ramp<std::int64_t>(file, DType::I64, -2);
  expect_ramp<std::int32_t>(file, DType::I32, -2);
  expect_ramp<std::int16_t>(file, DType::I16, -2);
  expect_ramp<std::int8_t>(file, DType::I8, -2);
  expect_ramp<std::uint8_t>(file, DType::U8, 0);
  EXPECT_EQ(values<std::uint8_t>(file.find("BOOL")), (std::vector<std::uint8_t>{0, 1, 0, 1, 0, 1}));
  // Bit patterns of -2 -1 0 1 2 3.
  EXPECT_EQ(values<std::uint16_t>(file.find("F16")),
            (std::vector<std::uint16_t>{0xC000, 0xBC00, 0, 0x3C00, 0x4000, 0x4200}));
  EXPECT_EQ(values<std::uint16_t>(file.find("BF16")),
            (std::vector<std::uint16_t>{0xC000, 0xBF80, 0, 0x3F80, 0x4000, 0x4040}));
  EXPECT_TRUE(file.find("scalar")->shape.empty());
  EXPECT_EQ(values<float>(file.find("scalar")), std::vector<float>{0.5f});
  EXPECT_EQ(file.find("empty")->shape, (std::vector<std::int64_t>{0, 7}));
  EXPECT_NE(file.find("Zürich/日本"), nullptr);
  EXPECT_EQ(file.find("missing"), nullptr);
}

/** Tensors of several widths, one of them empty; the records borrow from it. */
struct Sample {
  std::array<float, 4> a = {1, 2, 3, 4};
  std::array<std::uint8_t, 3> b = {1, 0, 1};
  std::array<std::int64_t, 2> ids = {-1, std::int64_t{1} << 40};
  std::vector<TensorRecord> records() const {
    return {{"b", DType::Bool, {3}, std::as_bytes(std::span(b))},
            {"a", DType::F32, {2, 2}, std::as_bytes(std::span(a))},
            {"Ω", DType::BF16, {0, 5}, {}},
            {"ids", DType::I64, {2}, std::as_bytes(std::span(ids))}};
  }
};

/** `write` must throw Error{Usage} and leave nothing at `path`. */
template <typename Write>
void expect_usage_error(const std::filesystem::path& path, Write write) {
  try {
    write();
    ADD_FAILURE() << "written";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Usage) << error.what();
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

}  // namespace dino::format
