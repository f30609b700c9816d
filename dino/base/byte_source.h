// Sequential input of bytes behind one interface: from memory, a file, a command's output or a
// decompressor.
#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "dino/base/unique_fd.h"

namespace dino {

/** An input stream of bytes. Thread-compatible: one thread at a time may use an object. */
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  /** Fills `out` from the front and returns the number of bytes read; fewer than asked mean the end
   * of the input. Sources throw Error{Io} or Error{Data} when reading fails. */
  virtual std::size_t read(std::span<std::byte> out) = 0;
  /** Returns as soon as at least one byte is available, with at most out.size(); 0 means the end. A
   * buffered reader uses this so that it does not wait on a pipe for more than it needs. */
  virtual std::size_t read_some(std::span<std::byte> out) { return read(out); }
  /** Skips `count` bytes, or up to the end if that comes first, and returns how many. The default
   * implementation reads them. */
  virtual std::uint64_t skip(std::uint64_t count);
};

/** Reads bytes in memory, which it borrows. */
class SpanSource : public ByteSource {
 public:
  explicit SpanSource(std::span<const std::byte> bytes) : rest_(bytes) {}
  std::size_t read(std::span<std::byte> out) override;
  std::uint64_t skip(std::uint64_t count) override;

 private:
  std::span<const std::byte> rest_;
};

/** A regular file for reads at any offset. It is not memory-mapped, so that a failing disk gives an
 * Error instead of SIGBUS. read_at() is thread-safe. */
class RandomAccessFile {
 public:
  /** Throws Error{Io} naming the path; folders, devices and pipes are refused. */
  explicit RandomAccessFile(std::filesystem::path path);

  const std::filesystem::path& path() const { return path_; }
  std::uint64_t size() const { return size_; }  ///< bytes, at the time of opening
  /** Fills `out` with the bytes from `offset` on; returns fewer only where the file ends. Throws
   * Error{Io}. */
  std::size_t read_at(std::uint64_t offset, std::span<std::byte> out) const;

 private:
  std::filesystem::path path_;
  UniqueFd file_;
  std::uint64_t size_ = 0;
};

/** Reads a whole regular file. Throws as RandomAccessFile does: pipes and devices are refused
 * instead of blocking. */
std::vector<std::byte> read_regular_file(const std::filesystem::path& path);

/** Reads a RandomAccessFile, or `bytes` of it from offset `begin`, from front to back. Borrows the
 * file. */
class FileSource : public ByteSource {
 public:
  explicit FileSource(const RandomAccessFile& file, std::uint64_t begin = 0,
                      std::uint64_t bytes = ~std::uint64_t{0})
      : file_(file), position_(begin), left_(bytes) {}
  std::size_t read(std::span<std::byte> out) override;
  std::uint64_t skip(std::uint64_t count) override;
  /** Bytes of the part that have neither been read nor skipped. */
  std::uint64_t left() const { return left_; }

 private:
  const RandomAccessFile& file_;
  std::uint64_t position_, left_;
};

}  // namespace dino
