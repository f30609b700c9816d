#include "dino/base/byte_source.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <vector>

#include "dino/base/error.h"
#include "dino/base/text.h"

namespace dino {

std::uint64_t ByteSource::skip(std::uint64_t count) {
  std::vector<std::byte> scratch(
      static_cast<std::size_t>(std::min<std::uint64_t>(count, 64 << 10)));
  std::uint64_t skipped = 0;
  while (skipped < count) {
    const auto piece = std::span(scratch).first(
        static_cast<std::size_t>(std::min<std::uint64_t>(scratch.size(), count - skipped)));
    const std::size_t got = read(piece);
    skipped += got;
    if (got < piece.size()) break;
  }
  return skipped;
}

std::size_t SpanSource::read(std::span<std::byte> out) {
  const std::size_t count = std::min(out.size(), rest_.size());
  std::copy_n(rest_.begin(), count, out.begin());
  rest_ = rest_.subspan(count);
  return count;
}

std::uint64_t SpanSource::skip(std::uint64_t count) {
  const auto skipped = static_cast<std::size_t>(std::min<std::uint64_t>(count, rest_.size()));
  rest_ = rest_.subspan(skipped);
  return skipped;
}

RandomAccessFile::RandomAccessFile(std::filesystem::path path) : path_(std::move(path)) {
  // O_NONBLOCK, since opening a pipe without a writer would block forever.
  file_ = UniqueFd(::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat info {};
  if (!file_ || ::fstat(file_.get(), &info) != 0) {
    fail(ErrorKind::Io, "[open file] {}: {}", printable(path_),
         std::generic_category().message(errno));
  }
  if (!S_ISREG(info.st_mode)) {
    fail(ErrorKind::Io, "[open file] {}: not a regular file", printable(path_));
  }
  size_ = static_cast<std::uint64_t>(info.st_size);
}

std::size_t RandomAccessFile::read_at(std::uint64_t offset, std::span<std::byte> out) const {
  std::size_t filled = 0;
  while (filled < out.size()) {
    const ssize_t count = ::pread(file_.get(), out.data() + filled, out.size() - filled,
                                  static_cast<off_t>(offset + filled));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      fail(ErrorKind::Io, "[read file] {}: {}", printable(path_),
           std::generic_category().message(errno));
    }
    if (count == 0) break;
    filled += static_cast<std::size_t>(count);
  }
  return filled;
}

std::size_t FileSource::read(std::span<std::byte> out) {
  const auto want = out.first(static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), left_)));
  const std::size_t count = file_.read_at(position_, want);
  position_ += count;
  left_ -= count;
  return count;
}

std::uint64_t FileSource::skip(std::uint64_t count) {
  const std::uint64_t end = std::max(file_.size(), position_);
  const std::uint64_t skipped = std::min({count, end - position_, left_});
  position_ += skipped;
  left_ -= skipped;
  return skipped;
}

std::vector<std::byte> read_regular_file(const std::filesystem::path& path) {
  const RandomAccessFile file(path);
  std::vector<std::byte> bytes(static_cast<std::size_t>(file.size()));
  bytes.resize(file.read_at(0, bytes));
  return bytes;
}

}  // namespace dino
