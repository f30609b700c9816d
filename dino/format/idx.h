// Reads and writes IDX, the format of MNIST and similar data sets: one array with a big-endian
// header, often gzipped.
#pragma once
#include <cstddef>
#include <filesystem>
#include <span>
#include <string_view>

#include "dino/format/array.h"

namespace dino::format {

/** Reads an IDX file, gzipped or not (recognized by its bytes, not its name). Throws Error{Io} if
 * it cannot be read; Error{Format} naming it if it is truncated, damaged, has trailing bytes, or
 * declares more data than its size can hold. */
Array read_idx(const std::filesystem::path& path);

/** Parses a file in memory; `name` appears in errors. */
Array parse_idx(std::span<const std::byte> bytes, std::string_view name);

/** Writes atomically, gzipped if the path ends in ".gz". Supports U8, I8, I16, I32, F32 and F64
 * with 1 to 255 dimensions; throws Error{Usage} on others, Error{Io} if writing fails. */
void write_idx(const std::filesystem::path& path, const TensorRecord& record);

}  // namespace dino::format
