// NPY, NumPy's file for one array.
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
 * for Fortran order, objects, records, strings, and wherever header and size contradict each other.
 */
Array read_npy(const std::filesystem::path& path);

/** The same for a file in memory; `name` appears in errors. */
Array parse_npy(std::span<const std::byte> bytes, std::string_view name);

/** What a file says about its array. */
struct NpyHeader {
  DType dtype = DType::F32;
  bool big_endian = false;
  std::vector<std::int64_t> shape;
  std::size_t data_offset = 0;  ///< bytes from the file's start to the first element
};

/** Reads what stands before the data and nothing else: for files that are mapped, or still grow.
 * Throws Error{Format} as read_npy, but does not compare the shape with the file's size. */
NpyHeader parse_npy_header(std::span<const std::byte> bytes, std::string_view name);

/** What a file says about an array of strings. */
struct NpyStrings {
  std::vector<std::int64_t> shape;
  std::size_t characters = 0;  ///< of each string, padded with NUL
  bool wide = false;           ///< UTF-32 ("U") instead of bytes ("S")
  bool big_endian = false;
  std::size_t data_offset = 0;  ///< bytes from the file's start to the first string
  /** Of one string. */
  std::size_t item_bytes() const { return characters * (wide ? 4 : 1); }
};

/** Of an array of strings; nothing of other arrays. Throws as parse_npy_header. */
std::optional<NpyStrings> parse_npy_strings(std::span<const std::byte> bytes,
                                            std::string_view name);

/** The strings behind such a header, in UTF-8 (bytes as they are). `data` is a whole number of
 * them. */
std::vector<std::string> decode_npy_strings(const NpyStrings& header,
                                            std::span<const std::byte> data);

/** What stands before the data in a version 1 file: byte for byte what numpy.save writes. Its
 * length is a multiple of 64 and the same for any shape[0], so a writer that learns the number of
 * rows last can come back and fill it in. Throws Error{Usage} for BF16, which NPY cannot express.
 */
std::string npy_header(DType dtype, std::span<const std::int64_t> shape);

/** Writes atomically. Throws Error{Usage} as above or if bytes do not fit the shape, Error{Io}. */
void write_npy(const std::filesystem::path& path, const TensorRecord& record);

}  // namespace dino::format
