// NPY files of which only the header is in memory; private to dino/data.
#pragma once
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "dino/base/byte_source.h"
#include "dino/data/sources/array_dataset.h"
#include "dino/data/sources/label_text.h"
#include "dino/format/npy.h"

namespace dino::data {

/** More bytes than the header of any array of ours has. */
inline constexpr std::size_t kNpyHeaderBytes = 4096;

struct NpyFile {
  std::unique_ptr<RandomAccessFile> file;
  format::NpyHeader header;                   ///< of strings: shape and place of the data
  std::optional<format::NpyStrings> strings;  ///< of an array of strings
  std::string name;                           ///< in messages
  /** Bytes behind the header. Nothing if they are more than there can be. */
  std::optional<std::uint64_t> data_bytes() const;
};

/** From the first bytes of a file, without the file. Throws Error{Format}. */
NpyFile parse_npy_file(std::span<const std::byte> head, const std::string& name);

/** Throws Error{Format} if the header contradicts the file's size, Error{Io}. */
NpyFile open_npy_file(std::unique_ptr<RandomAccessFile> file, const std::string& name);
NpyFile open_npy_file(const std::filesystem::path& path);

/** The images of an array; see open_dataset(). Throws Error{Data} on shapes that are none. */
ArrayFile image_file(NpyFile npy, const std::string& name, int wanted);

/** The labels in an array. Throws Error{Data} if it holds none. */
ArrayLabels read_labels(const NpyFile& npy, const std::string& name);

}  // namespace dino::data
