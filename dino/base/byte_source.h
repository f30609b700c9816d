// Bytes in order, wherever they come from: memory, a file, a command's output, an unpacker.
#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "dino/base/unique_fd.h"

namespace dino {

/** Thread-compatible. */
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  /** Fills `out` from the front; fewer bytes than asked mean the end. */
  virtual std::size_t read(std::span<std::byte> out) = 0;
  /** At least one byte, but no more than are there already; 0 at the end. For buffers: a source
   * that others feed need not make them wait. */
  virtual std::size_t read_some(std::span<std::byte> out) { return read(out); }
  /** Passes over `count` bytes, or to the end if that comes first; returns how many. Reads them
   * unless a source knows better. */
  virtual std::uint64_t skip(std::uint64_t count);
};

/** Bytes in memory. Borrows them. */
class SpanSource : public ByteSource {
 public:
  explicit SpanSource(std::span<const std::byte> bytes) : rest_(bytes) {}
  std::size_t read(std::span<std::byte> out) override;
  std::uint64_t skip(std::uint64_t count) override;

 private:
  std::span<const std::byte> rest_;
};

/** A regular file read at any place, without mapping it: a disk that goes away is an error, not a
 * signal. read_at is thread-safe. */
class RandomAccessFile {
 public:
  /** Throws Error{Io} naming the path; folders, devices and pipes are refused. */
  explicit RandomAccessFile(std::filesystem::path path);

  const std::filesystem::path& path() const { return path_; }
  std::uint64_t size() const { return size_; }  ///< bytes, when it was opened
  /** Fills `out` with the bytes from `offset` on; returns fewer only where the file ends. Throws
   * Error{Io}. */
  std::size_t read_at(std::uint64_t offset, std::span<std::byte> out) const;

 private:
  std::filesystem::path path_;
  UniqueFd file_;
  std::uint64_t size_ = 0;
};

/** All of a regular file. Throws as RandomAccessFile: pipes and devices named like files are
 * refused, not waited for. */
std::vector<std::byte> read_regular_file(const std::filesystem::path& path);

/** Such a file, or a part of it, from front to back. Borrows it. */
class FileSource : public ByteSource {
 public:
  explicit FileSource(const RandomAccessFile& file, std::uint64_t begin = 0,
                      std::uint64_t bytes = ~std::uint64_t{0})
      : file_(file), position_(begin), left_(bytes) {}
  std::size_t read(std::span<std::byte> out) override;
  std::uint64_t skip(std::uint64_t count) override;
  /** Bytes of the part that were neither read nor passed over. */
  std::uint64_t left() const { return left_; }

 private:
  const RandomAccessFile& file_;
  std::uint64_t position_, left_;
};

}  // namespace dino
