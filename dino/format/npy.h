// Reads and writes NPY, NumPy's format for one array.
#pragma once
#include <cstddef>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dino/format/array.h"

namespace dino::format {

/** Reads an NPY file of version 1, 2 or 3 in C order: bool, signed and unsigned integers, floats of
 * 2 to 8 bytes, either byte order. Throws Error{Io} if it cannot be read; Error{Format} naming it
 * for Fortran order, objects, records and strings, and if header and size contradict each other. */
Array read_npy(const std::filesystem::path& path);

/** Parses a file in memory; `name` appears in errors. */
Array parse_npy(std::span<const std::byte> bytes, std::string_view name);

/** The header of an NPY file. */
struct NpyHeader {
  DType dtype = DType::F32;
  bool big_endian = false;
  std::vector<std::int64_t> shape;
  std::size_t data_offset = 0;  ///< bytes from the file's start to the first element
};

/** Parses the header only, for files that are mapped or not complete yet. Throws Error{Format} as
 * read_npy, but does not compare the shape with the file's size. */
NpyHeader parse_npy_header(std::span<const std::byte> bytes, std::string_view name);

/** The header of an NPY file that holds an array of strings. */
struct NpyStrings {
  std::vector<std::int64_t> shape;
  std::size_t characters = 0;  ///< of each string, padded with NUL
  bool wide = false;           ///< UTF-32 ("U") instead of bytes ("S")
  bool big_endian = false;
  std::size_t data_offset = 0;  ///< bytes from the file's start to the first string
  /** Bytes per string. */
  std::size_t item_bytes() const { return characters * (wide ? 4 : 1); }
};

/** Parses the header of an array of strings; returns nothing for other arrays. Throws as
 * parse_npy_header. */
std::optional<NpyStrings> parse_npy_strings(std::span<const std::byte> bytes,
                                            std::string_view name);

/** Converts strings to UTF-8; "S" strings are copied unchanged. The size of `data` is a multiple of
 * item_bytes(). */
std::vector<std::string> decode_npy_strings(const NpyStrings& header,
                                            std::span<const std::byte> data);

/** The header of a version 1 file, byte for byte as numpy.save writes it. Its length is a multiple
 * of 64 and independent of shape[0], so a writer can fill in the number of rows at the end. Throws
 * Error{Usage} for BF16, which NPY cannot express. */
std::string npy_header(DType dtype, std::span<const std::int64_t> shape);

/** Writes atomically. Throws Error{Usage} for BF16 or if the bytes do not fit the shape, Error{Io}.
 */
void write_npy(const std::filesystem::path& path, const TensorRecord& record);

}  // namespace dino::format
