// NPY, NumPy's file for one array.
#pragma once
#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

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

/** What stands before the data in a version 1 file: byte for byte what numpy.save writes. Its
 * length is a multiple of 64 and the same for any shape[0], so a writer that learns the number of
 * rows last can come back and fill it in. Throws Error{Usage} for BF16, which NPY cannot express.
 */
std::string npy_header(DType dtype, std::span<const std::int64_t> shape);

/** Writes atomically. Throws Error{Usage} as above or if bytes do not fit the shape, Error{Io}. */
void write_npy(const std::filesystem::path& path, const TensorRecord& record);

}  // namespace dino::format
