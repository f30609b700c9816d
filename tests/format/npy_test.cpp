#include "dino/format/npy.h"

#include <fmt/format.h>

#include <array>

#include "dino/base/file.h"
#include "tests/format/hostile.h"
#include "tests/temp_dir.h"

namespace dino::format {
namespace {

using Shape = std::vector<std::int64_t>;

/** Expects the 2 x 3 ramp that make.py wrote. */
template <typename T>
void expect_ramp(std::string_view file, DType dtype, int start, const Shape& shape = {2, 3}) {
  const Array array = read_npy(golden(file));
  EXPECT_EQ(array.dtype, dtype) << file;
  EXPECT_EQ(array.shape, shape) << file;
  const auto got = array.as<T>();
  ASSERT_EQ(got.size(), 6u);
  for (int i = 0; i < 6; ++i)
    EXPECT_EQ(got[static_cast<std::size_t>(i)], static_cast<T>(i + start)) << file;
}

TEST(ReadNpy, EveryTypeOfNumpy) {
  expect_ramp<double>("f8.npy", DType::F64, -2);
  expect_ramp<float>("f4.npy", DType::F32, -2);
  expect_ramp<std::int64_t>("i8.npy", DType::I64, -2);
  expect_ramp<std::int32_t>("i4.npy", DType::I32, -2);
  expect_ramp<std::int16_t>("i2.npy", DType::I16, -2);
  expect_ramp<std::int8_t>("i1.npy", DType::I8, -2);
  expect_ramp<std::uint64_t>("u8.npy", DType::U64, 0);
  expect_ramp<std::uint32_t>("u4.npy", DType::U32, 0);
  expect_ramp<std::uint16_t>("u2.npy", DType::U16, 0);
  expect_ramp<std::uint8_t>("u1.npy", DType::U8, 0);
  const Array half = read_npy(golden("f2.npy"));
  EXPECT_EQ(half.dtype, DType::F16);
  EXPECT_EQ(half.as<std::uint16_t>()[0], 0xC000);  // -2
  const Array boolean = read_npy(golden("b1.npy"));
  EXPECT_EQ(boolean.dtype, DType::Bool);
  EXPECT_EQ(boolean.as<std::uint8_t>()[1], 1);
  EXPECT_EQ(boolean.as<std::uint8_t>()[2], 0);
}

TEST(ReadNpy, VersionsByteOrdersAndShapes) {
  expect_ramp<float>("version2.npy", DType::F32, -2);
  expect_ramp<float>("version3.npy", DType::F32, -2);
  expect_ramp<float>("big_endian.npy", DType::F32, -2);
  expect_ramp<std::int64_t>("vector.npy", DType::I64, -2, {6});
  const Array scalar = read_npy(golden("scalar.npy"));
  EXPECT_TRUE(scalar.shape.empty());
  EXPECT_EQ(scalar.as<float>()[0], 0.5f);
  const Array empty = read_npy(golden("empty.npy"));
  EXPECT_EQ(empty.shape, (Shape{0, 7}));
  EXPECT_TRUE(empty.bytes.empty());
}

TEST(WriteNpy, SameBytesAsNumpy) {
  test::TempDir dir;
  for (const char* name : {"f8", "f4", "f2", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1", "b1",
                           "scalar", "empty", "vector"}) {
    const auto original = golden(std::string(name) + ".npy");
    write_npy(dir / "copy.npy", read_npy(original).record());
    EXPECT_EQ(read_file(dir / "copy.npy"), read_file(original)) << name;
  }
}

TEST(WriteNpy, HeaderLengthDoesNotDependOnTheRows) {
  const std::size_t length = npy_header(DType::F32, Shape{0, 384}).size();
  EXPECT_EQ(length % 64, 0u);
  for (const std::int64_t rows : {std::int64_t{9}, std::int64_t{1'000'000'007}, INT64_MAX})
    EXPECT_EQ(npy_header(DType::F32, Shape{rows, 384}).size(), length);
}

TEST(WriteNpy, RefusesWhatDoesNotFit) {
  test::TempDir dir;
  const std::array<float, 4> data{};
  const auto bytes = std::as_bytes(std::span(data));
  EXPECT_THROW(write_npy(dir / "a", {"", DType::BF16, {8}, bytes}), Error);
  EXPECT_THROW(write_npy(dir / "a", {"", DType::F32, {5}, bytes}), Error);
  EXPECT_THROW(write_npy(dir / "a", {"", DType::F32, Shape(30000, 1), bytes.first(4)}), Error);
  EXPECT_FALSE(std::filesystem::exists(dir / "a"));
}

// ---- Hostile files ------------------------------------------------------------------------------

std::string file_of(std::string_view dictionary, std::size_t data_bytes) {
  const std::string length = {static_cast<char>(dictionary.size() & 0xFF),
                              static_cast<char>(dictionary.size() >> 8)};
  return std::string("\x93NUMPY\x01\0", 8) + length + std::string(dictionary) +
         std::string(data_bytes, '\0');
}

void expect_refused_file(const std::string& file, std::string_view reason) {
  expect_refused([&] { parse_npy(bytes_of(file), "hostile.bin"); }, reason);
}

void expect_refused_dictionary(std::string_view dictionary,
                               std::string_view reason = "the header is not NumPy's") {
  expect_refused_file(file_of(dictionary, 8), reason);
}

std::string dictionary_of(std::string_view descr, std::string_view shape) {
  return fmt::format("{{'descr': {}, 'fortran_order': False, 'shape': {}, }}\n", descr, shape);
}

TEST(NpyHostile, OddButGoodDictionaries) {
  for (const char* dictionary : {
           "{'shape': (2,), 'fortran_order': False, 'descr': '<f4'}",
           "{\"descr\":\"<f4\",\"fortran_order\":False,\"shape\":(2L,)}",
           "  { 'descr' : '<f4' , 'fortran_order' : False , 'shape' : ( 2 , 1 ) , }  \n",
           "{'descr': '=f4', 'fortran_order': False, 'shape': (1, 2,)}",
       })
    EXPECT_NO_THROW(parse_npy(bytes_of(file_of(dictionary, 8)), "x")) << dictionary;
}

TEST(NpyHostile, FilesOnDiskAreNamed) {
  test::TempDir dir;
  write_file_atomically(dir / "hostile.bin", "");
  expect_refused([&] { read_npy(dir / "hostile.bin"); }, "not an NPY file");
  EXPECT_THROW(read_npy(dir / "missing"), Error);
}

TEST(NpyHostile, MagicVersionAndLength) {
  using namespace std::string_literals;
  expect_refused_file("", "not an NPY file");
  expect_refused_file("\x93NUMP", "not an NPY file");
  expect_refused_file("PK\x03\x04 an npz file", "not an NPY file");
  expect_refused_file("\x93NUMPY", "ends within the header");
  expect_refused_file("\x93NUMPY\x01\0"s, "ends within the header");
  expect_refused_file("\x93NUMPY\x02\0\x10\0"s, "ends within the header");
  expect_refused_file("\x93NUMPY\x00\0\x10\0"s, "version 0");
  expect_refused_file("\x93NUMPY\x04\0\x10\0"s, "version 4");
  expect_refused_file("\x93NUMPY\x01\0\x10\0{}"s, "cut short");
  expect_refused_file("\x93NUMPY\x02\0\xFF\xFF\xFF\xFF{}"s, "at most");
  expect_refused_file("\x93NUMPY\x01\0\0\0"s, "the header is not NumPy's");
}

TEST(NpyHostile, Dictionary) {
  expect_refused_dictionary("");
  expect_refused_dictionary("{}");
  expect_refused_dictionary("[]");
  expect_refused_dictionary("{'descr': '<f4', 'fortran_order': False}");
  expect_refused_dictionary("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), 'more': 1}");
  expect_refused_dictionary(
      "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (2,)}");
  expect_refused_dictionary("{'descr': '<f4' 'fortran_order': False, 'shape': (2,)}");
  expect_refused_dictionary("{'descr': '<f4', 'fortran_order': 0, 'shape': (2,)}");
  expect_refused_dictionary("{'descr': '<f4', 'fortran_order': False, 'shape': (2,)} + 1");
  expect_refused_dictionary("{'descr': '<f4', 'fortran_order': False, 'shape': (2,)");
  expect_refused_dictionary("{'descr': '<f4, 'fortran_order': False, 'shape': (2,)}");
  expect_refused_dictionary("{'descr': '\\x3cf4', 'fortran_order': False, 'shape': (2,)}");
  expect_refused_dictionary("{'descr': [[[[[[[[[, 'fortran_order': False, 'shape': (2,)}");
  expect_refused_dictionary("{'descr': __import__('os'), 'fortran_order': False, 'shape': (2,)}");
}

TEST(NpyHostile, Shape) {
  for (const char* shape : {"2", "(2)", "(2,,)", "(,)", "(-2,)", "(2.0,)", "('2',)", "(2 1)", "[2]",
                            "(9223372036854775808,)", "(2,", "(True,)"})
    expect_refused_dictionary(dictionary_of("'<f4'", shape));
}

TEST(NpyHostile, SizeAgainstShape) {
  expect_refused_file(file_of(dictionary_of("'<f4'", "(2,)"), 7), "is it cut short?");
  expect_refused_file(file_of(dictionary_of("'<f4'", "(2,)"), 0), "is it cut short?");
  expect_refused_file(file_of(dictionary_of("'<f4'", "(2,)"), 9), "second array behind it?");
  expect_refused_file(file_of(dictionary_of("'<f4'", "()"), 8), "second array behind it?");
  expect_refused_file(file_of(dictionary_of("'<f4'", "(0,)"), 8), "second array behind it?");
  expect_refused_file(file_of(dictionary_of("'<f4'", "(1000000000000,)"), 8), "is it cut short?");
  expect_refused_file(file_of(dictionary_of("'|u1'", "(4294967296, 4294967296)"), 0), "cut short?");
  expect_refused_file(file_of(dictionary_of("'<f4'", "(4611686018427387904,)"), 0), "cut short?");
}

TEST(NpyHeader, IsReadWithoutTheData) {
  const std::string text = npy_header(DType::F16, Shape{7, 3});
  const NpyHeader header = parse_npy_header(std::as_bytes(std::span(text)), "growing.npy");
  EXPECT_EQ(header.dtype, DType::F16);
  EXPECT_FALSE(header.big_endian);
  EXPECT_EQ(header.shape, (Shape{7, 3}));
  EXPECT_EQ(header.data_offset, text.size());
  EXPECT_THROW(parse_npy_header(std::as_bytes(std::span(text).first(40)), "cut.npy"), Error);
}

TEST(NpyHostile, TypesThatAreNotPlainNumbers) {
  for (const char* descr : {"'<c8'", "'<U2'", "'|S4'", "'<M8[s]'", "'|V2'", "'<f16'", "'f4'", "'<'",
                            "''", "'!f4'", "'<f4 '", "[('a', '<f4')]"})
    expect_refused_dictionary(dictionary_of(descr, "(2,)"), "is not supported");
  expect_refused_dictionary(dictionary_of("'|O'", "(2,)"), "Python objects");
}

TEST(NpyStrings, AreReadInUtf8) {
  const auto read = [](const std::string& descr, const std::string& data, int count) {
    std::string text =
        fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({},), }}", descr, count);
    text.append(64 - (text.size() + 11) % 64, ' ');
    text += '\n';
    const std::string file = "\x93NUMPY\x01" + std::string(1, '\0') +
                             static_cast<char>(text.size()) + std::string(1, '\0') + text + data;
    const auto header = parse_npy_strings(bytes_of(file), "x");
    EXPECT_TRUE(header);
    return header ? decode_npy_strings(*header, bytes_of(file).subspan(header->data_offset))
                  : std::vector<std::string>();
  };
  using Strings = std::vector<std::string>;
  EXPECT_EQ(read("|S3", std::string("ab\0abc\0\0\0", 9), 3), (Strings{"ab", "abc", ""}));
  const std::string wide("a\0\0\0\xe9\0\0\0\x00\xf6\x01\0\xff\xff\xff\xff", 16);
  EXPECT_EQ(read("<U2", wide, 2), (Strings{"a\xc3\xa9", "\xf0\x9f\x98\x80\xef\xbf\xbd"}));
  EXPECT_EQ(read(">U1", std::string("\0\0\x20\xac", 4), 1), Strings{"\xe2\x82\xac"});
  EXPECT_FALSE(parse_npy_strings(bytes_of(text_of(read_file(golden("f4.npy")))), "x"));
}

TEST(NpyHostile, WhatNumpyWritesAndWeRefuse) {
  const auto refused = [](std::string_view name, std::string_view reason) {
    const std::string file = text_of(read_file(golden(name)));
    expect_refused_file(file, reason);
  };
  refused("fortran.npy", "numpy.ascontiguousarray");
  refused("object.npy", "Python objects");
  refused("record.npy", "is not supported");
  refused("string.npy", "is not supported");
}

TEST(NpyHostile, EveryCutAndEveryChangedByte) {
  for (const char* name : {"f4.npy", "version3.npy"}) {
    expect_survives_damage(text_of(read_file(golden(name))),
                           [](auto bytes) { parse_npy(bytes, "hostile.bin"); });
  }
}

}  // namespace
}  // namespace dino::format
