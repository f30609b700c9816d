// Growing shards. Data are synced before anything that refers to them.
#include "dino/embed/store/store_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>

#include "dino/base/error.h"
#include "dino/base/half.h"
#include "dino/base/text.h"
#include "dino/format/npy.h"

namespace dino::embed {
namespace {

constexpr std::size_t kBufferBytes = 1 << 20;
constexpr std::string_view kShardEnd = ".npy";

[[noreturn]] void fail_io(const std::filesystem::path& path) {
  fail(ErrorKind::Io, "[feature store] cannot write {}: {}", printable(path), std::strerror(errno));
}

}  // namespace

// ---- names ----

std::filesystem::path StoreLayout::shard(Feature feature, std::int64_t number) const {
  return root / fmt::format("{}-{:05}{}", name_of(feature), number, kShardEnd);
}

std::optional<std::int64_t> StoreLayout::shard_number(Feature feature,
                                                      const std::filesystem::path& path) {
  const std::string name = path.filename().native();
  const std::string start = fmt::format("{}-", name_of(feature));
  if (!name.starts_with(start) || !name.ends_with(kShardEnd)) return std::nullopt;
  std::int64_t number = 0;
  const char* end = name.data() + name.size() - kShardEnd.size();
  const auto read = std::from_chars(name.data() + start.size(), end, number);
  if (read.ec != std::errc() || read.ptr != end || number < 0) return std::nullopt;
  return StoreLayout{path.parent_path()}.shard(feature, number) == path ? std::optional(number)
                                                                        : std::nullopt;
}

// ---- shapes ----

std::int64_t shard_array_rows(Feature feature, const std::vector<StoreRow>& rows,
                              std::int64_t first, std::int64_t images) {
  if (feature != Feature::Patches || images == 0) return images;
  const StoreRow& last = rows.at(static_cast<std::size_t>(first + images - 1));
  return last.patch_row + last.patches();
}

std::vector<std::int64_t> shard_shape(const StoreHeader& header, Feature feature, std::int64_t n) {
  if (feature == Feature::Registers) return {n, header.registers, header.dim};
  return {n, header.dim};
}

// ---- files ----

GrowingFile::GrowingFile(std::filesystem::path path, std::int64_t bytes)
    : path_(std::move(path)),
      file_(::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666)),
      written_(bytes) {
  struct stat info {};
  if (!file_ || ::fstat(file_.get(), &info) != 0) fail_io(path_);
  if (info.st_size < bytes)
    fail(ErrorKind::Format, "[feature store] {} is cut short: {} bytes, expected {}",
         printable(path_), info.st_size, bytes);
  if (::ftruncate(file_.get(), bytes) != 0) fail_io(path_);
}

void GrowingFile::write_at(std::string_view bytes, std::int64_t offset) {
  while (!bytes.empty()) {
    const ssize_t count = ::pwrite(file_.get(), bytes.data(), bytes.size(), offset);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) fail_io(path_);
    bytes.remove_prefix(static_cast<std::size_t>(count));
    offset += count;
  }
}

void GrowingFile::flush() {
  write_at(buffer_, written_);
  written_ += static_cast<std::int64_t>(buffer_.size());
  buffer_.clear();
}

void GrowingFile::append(std::string_view bytes) {
  buffer_ += bytes;
  if (buffer_.size() >= kBufferBytes) flush();
}

void GrowingFile::overwrite_start(std::string_view bytes) {
  flush();
  write_at(bytes, 0);
}

void GrowingFile::sync() {
  flush();
  if (::fsync(file_.get()) != 0) fail_io(path_);
}

GrowingNpy::GrowingNpy(const StoreLayout& layout, const StoreHeader& header, Feature feature,
                       std::int64_t number, std::int64_t rows)
    : header_(header),
      feature_(feature),
      rows_(rows),
      path_(layout.shard(feature, number)),
      file_(path_, rows == 0
                       ? 0
                       : static_cast<std::int64_t>(header_text(rows).size()) +
                             format::byte_count(header.dtype, shard_shape(header, feature, rows))) {
  if (rows == 0)
    file_.append(header_text(0));
  else
    file_.overwrite_start(header_text(rows));
}

std::string GrowingNpy::header_text(std::int64_t rows) const {
  return format::npy_header(header_.dtype, shard_shape(header_, feature_, rows));
}

void GrowingNpy::append(std::span<const float> values) {
  const auto per_row = format::element_count(shard_shape(header_, feature_, 1));
  DINO_ASSERT(per_row > 0 && static_cast<std::int64_t>(values.size()) % per_row == 0);
  rows_ += static_cast<std::int64_t>(values.size()) / per_row;
  if (header_.dtype == format::DType::F32) {
    file_.append(std::as_bytes(values));
    return;
  }
  halves_.clear();
  for (const float value : values) {
    halves_.push_back(float_to_half(value));
    if ((halves_.back() & 0x7FFF) == 0x7C00 && std::isfinite(value))
      fail(ErrorKind::Data, "[feature store] {} holds {}, more than f16 can; use --dtype f32",
           name_of(feature_), value);
  }
  file_.append(std::as_bytes(std::span<const std::uint16_t>(halves_)));
}

void GrowingNpy::sync() {
  file_.overwrite_start(header_text(rows_));
  file_.sync();
}

void sync_folder(const std::filesystem::path& folder) {
  const UniqueFd handle(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (handle) ::fsync(handle.get());  // some file systems refuse: best effort
}

}  // namespace dino::embed
