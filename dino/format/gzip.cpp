// The only file that uses zlib's streams. Their counters have 32 bits, so buffers are passed in
// pieces of at most 1 GiB.
#include "dino/format/gzip.h"

#include <zlib.h>

#include <algorithm>
#include <new>

#include "dino/base/error.h"
#include "dino/base/text.h"

namespace dino::format {
namespace {

constexpr int kGzipWindow = 16 + MAX_WBITS;  // 16: gzip wrapper, not zlib's
constexpr std::size_t kMaxPiece = std::size_t{1} << 30;
constexpr std::size_t kSourcePiece = 256 << 10;

Bytef* zlib_pointer(const std::byte* bytes) {
  return const_cast<Bytef*>(reinterpret_cast<const Bytef*>(bytes));  // zlib only reads through it
}

}  // namespace

bool is_gzip(std::span<const std::byte> bytes) {
  return bytes.size() >= 2 && bytes[0] == std::byte{0x1F} && bytes[1] == std::byte{0x8B};
}

struct GzipReader::Stream {
  z_stream z{};
  explicit Stream(int window) {
    if (inflateInit2(&z, window) != Z_OK) throw std::bad_alloc();
  }
  Stream(const Stream&) = delete;
  ~Stream() { inflateEnd(&z); }
};

GzipReader::GzipReader(std::span<const std::byte> bytes, std::string_view name, Wrapper wrapper)
    : stream_(std::make_unique<Stream>(wrapper == Wrapper::Gzip ? kGzipWindow : -MAX_WBITS)),
      rest_(bytes),
      name_(printable(name)),
      wrapper_(wrapper) {}

GzipReader::GzipReader(ByteSource& packed, std::string_view name, Wrapper wrapper)
    : GzipReader(std::span<const std::byte>(), name, wrapper) {
  source_ = &packed;
}

GzipReader::~GzipReader() = default;

/** Appends to rest_ from the source, if there is one, until it has so many bytes or the source
 * ends. */
void GzipReader::refill(std::size_t at_least) {
  if (source_ == nullptr || rest_.size() >= at_least) return;
  std::vector<std::byte> next(rest_.begin(), rest_.end());
  next.resize(rest_.size() + kSourcePiece);
  const std::size_t got = source_->read(std::span(next).subspan(rest_.size()));
  next.resize(rest_.size() + got);
  buffer_ = std::move(next);
  rest_ = buffer_;
}

std::size_t GzipReader::read(std::span<std::byte> out) {
  z_stream& z = stream_->z;
  std::size_t filled = 0;
  while (!finished_ && filled < out.size()) {
    refill(1);
    const auto piece = rest_.first(std::min(rest_.size(), kMaxPiece));
    const std::size_t room = std::min(out.size() - filled, kMaxPiece);
    z.next_in = zlib_pointer(piece.data());
    z.avail_in = static_cast<uInt>(piece.size());
    z.next_out = zlib_pointer(out.data() + filled);
    z.avail_out = static_cast<uInt>(room);
    const int result = inflate(&z, Z_NO_FLUSH);
    filled += room - z.avail_out;
    rest_ = rest_.subspan(piece.size() - z.avail_in);
    if (result == Z_STREAM_END) {
      refill(2);
      if (rest_.empty() || wrapper_ == Wrapper::None) {
        finished_ = true;
      } else if (!is_gzip(rest_) || inflateReset(&z) != Z_OK) {
        fail(ErrorKind::Format, "[read gzip] {}: bytes after the end of the compressed stream",
             name_);
      }
    } else if (result == Z_BUF_ERROR && piece.empty()) {
      fail(ErrorKind::Format, "[read gzip] {}: the compressed stream is cut short", name_);
    } else if (result == Z_MEM_ERROR) {
      throw std::bad_alloc();
    } else if (result != Z_OK && result != Z_BUF_ERROR) {
      fail(ErrorKind::Format, "[read gzip] {}: damaged: {}", name_,
           z.msg != nullptr ? z.msg : "not a deflate stream");
    }
  }
  return filled;
}

std::uint32_t crc32_of(std::span<const std::byte> bytes, std::uint32_t before) {
  return static_cast<std::uint32_t>(::crc32_z(before, zlib_pointer(bytes.data()), bytes.size()));
}

std::vector<std::byte> gzip(std::span<const std::byte> bytes) {
  z_stream z{};
  if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, kGzipWindow, 8, Z_DEFAULT_STRATEGY) !=
      Z_OK) {
    throw std::bad_alloc();
  }
  const std::unique_ptr<z_stream, int (*)(z_stream*)> end(&z, deflateEnd);
  std::vector<std::byte> result;
  int status = Z_OK;
  while (status != Z_STREAM_END) {
    if (z.avail_in == 0) {
      const auto piece = bytes.first(std::min(bytes.size(), kMaxPiece));
      z.next_in = zlib_pointer(piece.data());
      z.avail_in = static_cast<uInt>(piece.size());
      bytes = bytes.subspan(piece.size());
    }
    const std::size_t used = result.size();
    const std::size_t room = std::clamp<std::size_t>(used, 64 << 10, kMaxPiece);
    result.resize(used + room);
    z.next_out = zlib_pointer(result.data() + used);
    z.avail_out = static_cast<uInt>(room);
    status = deflate(&z, bytes.empty() ? Z_FINISH : Z_NO_FLUSH);
    result.resize(used + room - z.avail_out);
  }
  return result;
}

}  // namespace dino::format
