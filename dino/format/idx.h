// IDX, the format of MNIST and its kin: a four-byte magic, big-endian sizes, one array; often
// gzipped.
#pragma once
#include <cstddef>
#include <filesystem>
#include <span>
#include <string_view>

#include "dino/format/array.h"

namespace dino::format {

/** Reads an IDX file, gzipped or not (told by its bytes, not its name). Throws Error{Io} if it
 * cannot be read, Error{Format} naming it if it is cut short, damaged, has bytes too many, or
 * claims more data than its size can hold. */
Array read_idx(const std::filesystem::path& path);

/** The same for a file in memory; `name` appears in errors. */
Array parse_idx(std::span<const std::byte> bytes, std::string_view name);

/** Writes atomically, gzipped if the path ends in ".gz". U8, I8, I16, I32, F32 and F64 of 1 to 255
 * dimensions; throws Error{Usage} on others, Error{Io}. */
void write_idx(const std::filesystem::path& path, const TensorRecord& record);

}  // namespace dino::format
