// NPY files as sources of images and labels; only the header is held in memory. Private to
// dino/data.
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

/** An upper bound of the size of supported headers, bytes. */
inline constexpr std::size_t kNpyHeaderBytes = 4096;

struct NpyFile {
  std::unique_ptr<RandomAccessFile> file;
  format::NpyHeader header;                   ///< for strings: only shape and data offset are set
  std::optional<format::NpyStrings> strings;  ///< set for an array of strings
  std::string name;                           ///< name in messages
  /** Bytes of data after the header by shape and type. Nothing if that overflows. */
  std::optional<std::uint64_t> data_bytes() const;
};

/** Parses the first bytes of a file; `file` is null in the result. Throws Error{Format}. */
NpyFile parse_npy_file(std::span<const std::byte> head, const std::string& name);

/** Opens a file and parses its header. Throws Error{Format} if header and size contradict each
 * other, Error{Io}. */
NpyFile open_npy_file(std::unique_ptr<RandomAccessFile> file, const std::string& name);
NpyFile open_npy_file(const std::filesystem::path& path);

/** The array as images with `wanted` channels; see open_dataset(). Throws Error{Data} on shapes
 * that are not images. */
ArrayFile image_file(NpyFile npy, const std::string& name, int wanted);

/** Reads the labels of an array. Throws Error{Data} if its type or shape cannot be labels. */
ArrayLabels read_labels(const NpyFile& npy, const std::string& name);

}  // namespace dino::data
