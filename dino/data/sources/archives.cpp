// Images in tar shards and zip archives, found once and then read one by one from their places.
#include <algorithm>
#include <array>
#include <optional>
#include <span>

#include "dino/base/byte_source.h"
#include "dino/base/error.h"
#include "dino/base/mapped_file.h"
#include "dino/base/text.h"
#include "dino/data/sources/archive_index.h"
#include "dino/data/sources/encoded_dataset.h"
#include "dino/data/sources/index_cache.h"
#include "dino/data/sources/sample_name.h"
#include "dino/data/sources/sources.h"
#include "dino/format/gzip.h"
#include "dino/format/tar.h"
#include "dino/format/zip.h"

namespace dino::data {
namespace {

namespace fs = std::filesystem;

/** Images at places in archives. */
class ArchiveDataset : public EncodedDataset {
 public:
  ArchiveDataset(SourceIndex index, const FileDecoding& decoding)
      : EncodedDataset(std::move(index.items), decoding),
        where_(std::move(index.where)),
        sizes_(std::move(index.sizes)) {}

 protected:
  virtual std::vector<std::byte> read(std::int64_t item, const Place& place) const = 0;
  virtual std::vector<std::byte> read_page(std::int64_t item, const Place& place, int page) const {
    const std::vector<std::byte> file = read(item, place);
    return read_image_page(image::tiff_in_memory(file), page, item_name(item));
  }
  std::uint64_t where(std::int64_t item) const { return where_.at(static_cast<std::size_t>(item)); }

  std::vector<std::byte> read(std::int64_t item) const final {
    return checked(item, [&](const Place& place) { return read(item, place); });
  }
  std::vector<std::byte> read_page(std::int64_t item, int page) const final {
    return checked(item, [&](const Place& place) { return read_page(item, place, page); });
  }

 private:
  template <typename Read>
  std::vector<std::byte> checked(std::int64_t item, const Read& bytes) const {
    const auto i = static_cast<std::size_t>(item);
    const Place place{where_.at(i), sizes_.at(i)};
    const auto refuse = [&](BadReason reason, std::string_view why) {
      throw BadImage(
          ErrorKind::Format, reason,
          fmt::format("[load image] {} ({})", why, printable(std::string_view(item_name(item)))));
    };
    if (place.size == kDamaged)
      refuse(BadReason::Truncated, "the archive is damaged or cut short: the rest of it is lost");
    if (place.size == kMislabelled)
      refuse(BadReason::Mislabelled, "its .cls or .json member is no label");
    if (place.size == kTooLarge)
      refuse(BadReason::TooLarge, fmt::format("more than {} bytes", kLargestImageBytes));
    try {
      return bytes(place);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::Io) throw;
      fail(ErrorKind::Data,
           "{}; is its disk still there? Bring it back, then continue with --resume", error.what());
    }
  }

  std::vector<std::uint64_t> where_;
  std::vector<std::uint32_t> sizes_;
};

std::uint32_t image_size(std::uint64_t bytes) {
  return bytes > kLargestImageBytes ? kTooLarge : static_cast<std::uint32_t>(bytes);
}

std::string cache_key(std::string_view kind, const std::vector<std::string>& archives,
                      const std::vector<std::string>& inputs) {
  std::string key(kind);
  for (const std::string& archive : archives) key += "\n" + fs::absolute(archive).native();
  for (const std::string& input : inputs) key += "\n." + input;
  return key;
}

Witness witness_of(const std::string& archive) {
  auto seen = witness(archive);
  if (!seen)
    fail(ErrorKind::Io, "[open data set] '{}': no such file; check the path and the braces",
         printable(std::string_view(archive)));
  return *std::move(seen);
}

void check_found(const SourceIndex& index, std::string_view source,
                 const std::vector<std::string>& inputs) {
  if (std::any_of(index.sizes.begin(), index.sizes.end(),
                  [](auto size) { return size != kDamaged; }))
    return;
  fail(ErrorKind::Data, "[open data set] '{}' holds no images{}{}", printable(source),
       index.sizes.empty() ? "" : " that can be read: it is damaged or no such archive",
       inputs.empty()
           ? ""
           : fmt::format(" whose names end in {} (data.inputs)", fmt::join(inputs, " or ")));
}

// ---- tar
// -----------------------------------------------------------------------------------------

constexpr int kBlockBits = 40;  // shard << 40 | block of 512 bytes
constexpr std::uint64_t kBlock = 512;

/** Where in its shard a member begins. */
std::uint64_t offset_in_shard(const Place& place) {
  return (place.where & ((std::uint64_t{1} << kBlockBits) - 1)) * kBlock;
}

class TarDataset : public ArchiveDataset {
 public:
  TarDataset(SourceIndex index, std::vector<std::string> shards, const FileDecoding& decoding)
      : ArchiveDataset(std::move(index), decoding), shards_(std::move(shards)) {}

 protected:
  std::string item_name(std::int64_t item) const override {
    return fmt::format("{}#{}", shards_.at(where(item) >> kBlockBits), items().name(item));
  }
  std::vector<std::byte> read(std::int64_t item, const Place& place) const override {
    const RandomAccessFile file = shard(place);
    std::vector<std::byte> bytes(place.size);
    if (file.read_at(offset_in_shard(place), bytes) < bytes.size())
      throw BadImage(
          ErrorKind::Format, BadReason::Truncated,
          fmt::format("[load image] the shard ends within it ({})", printable(item_name(item))));
    return bytes;
  }
  std::vector<std::byte> read_page(std::int64_t item, const Place& place, int page) const override {
    const RandomAccessFile file = shard(place);
    return read_image_page(image::tiff_in_file(file, offset_in_shard(place), place.size), page,
                           item_name(item));
  }

 private:
  /** Opened for each image: thousands of shards would be too many to keep open. */
  RandomAccessFile shard(const Place& place) const {
    return RandomAccessFile(shards_.at(place.where >> kBlockBits));
  }

  std::vector<std::string> shards_;
};

/** Adds the members of one shard; what cannot be read of it becomes one bad image. */
void index_shard(const std::string& path, std::uint64_t number, ArchiveIndex& index) {
  const RandomAccessFile file(path);
  if (std::array<std::byte, 2> head; file.read_at(0, head) == 2 && format::is_gzip(head))
    fail(ErrorKind::Data,
         "[open data set] '{}' is gzipped; name it .tar.gz, or unpack it with gunzip",
         printable(std::string_view(path)));
  FileSource source(file);
  format::TarReader reader(source, path);
  std::vector<ArchiveMember> members;
  bool damaged = file.size() == 0;
  try {
    while (auto member = reader.next())
      members.push_back(
          {std::move(member->path),
           {number << kBlockBits | member->offset / kBlock, image_size(member->size)}});
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::Format) throw;
    damaged = true;
  }
  const auto label = [&](const Place& place) {
    std::string bytes(place.size, '\0');
    bytes.resize(file.read_at(offset_in_shard(place), std::as_writable_bytes(std::span(bytes))));
    return bytes;
  };
  const auto pages = [&](const Place& place) {
    return count_pages(image::tiff_in_file(file, offset_in_shard(place), place.size));
  };
  index.add(std::move(members), {label, pages});
  if (damaged) index.add_damage(number << kBlockBits);
}

// ---- zip
// -----------------------------------------------------------------------------------------

std::vector<std::byte> unpack(const RandomAccessFile& file, std::string_view name,
                              const Place& place, std::uint64_t limit) {
  std::vector<std::byte> bytes;
  format::unpack_zip_member(file, {name, place.where, place.size}, [&](auto piece) {
    if (bytes.size() + piece.size() > limit)
      throw BadImage(ErrorKind::Format, BadReason::TooLarge,
                     fmt::format("[load image] unpacks to more than {} bytes ({}#{})", limit,
                                 printable(file.path()), printable(name)));
    bytes.insert(bytes.end(), piece.begin(), piece.end());
  });
  return bytes;
}

class ZipDataset : public ArchiveDataset {
 public:
  ZipDataset(SourceIndex index, const fs::path& path, const FileDecoding& decoding)
      : ArchiveDataset(std::move(index), decoding), file_(path) {}

 protected:
  std::string item_name(std::int64_t item) const override {
    return fmt::format("{}#{}", file_.path().native(), items().name(item));
  }
  std::vector<std::byte> read(std::int64_t item, const Place& place) const override {
    return unpack(file_, items().name(item), place, kLargestImageBytes);
  }

 private:
  RandomAccessFile file_;
};

ArchiveIndex index_zip(const fs::path& archive, const std::vector<std::string>& inputs) {
  const RandomAccessFile file(archive);
  std::vector<ArchiveMember> members;
  {
    const MappedFile mapped = map_file(archive);
    for (const format::ZipEntry& entry : format::list_zip(mapped.bytes, archive.native()))
      members.push_back({std::string(entry.name), {entry.begin, image_size(entry.packed)}});
  }
  const auto label = [&](const Place& place) {
    const auto bytes = unpack(file, "label", place, kLargestLabel);
    return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  };
  const auto pages = [&](const Place& place) {
    const auto bytes = unpack(file, "pages", place, kLargestImageBytes);
    return count_pages(image::tiff_in_memory(bytes));
  };
  ArchiveIndex index(inputs);
  index.add(std::move(members), {label, pages});
  return index;
}

/** Whether a kept index can be one of so many archives. */
bool fits(const SourceIndex& index, std::size_t archives) {
  return static_cast<std::int64_t>(index.where.size()) == index.items.size() &&
         std::ranges::all_of(index.where,
                             [&](std::uint64_t where) { return (where >> kBlockBits) < archives; });
}

}  // namespace

std::unique_ptr<Dataset> open_tar(const std::vector<std::string>& shards,
                                  const SourceOptions& options) {
  const IndexCache kept(options.cache, cache_key("tar", shards, options.inputs));
  std::optional<SourceIndex> found = kept.load();
  if (!found || !fits(*found, shards.size())) {
    const std::int64_t start = IndexCache::now_ns();
    ArchiveIndex index(options.inputs);
    std::vector<Witness> witnesses;
    for (std::size_t i = 0; i < shards.size(); ++i) {
      witnesses.push_back(witness_of(shards[i]));
      index_shard(shards[i], i, index);
    }
    found = index.finish(std::move(witnesses));
    check_found(*found, shards.front(), options.inputs);
    kept.save(*found, start);
  }
  return std::make_unique<TarDataset>(std::move(*found), shards,
                                      FileDecoding{options.channels, options.decode});
}

std::unique_ptr<Dataset> open_zip(const fs::path& archive, const SourceOptions& options) {
  const IndexCache kept(options.cache, cache_key("zip", {archive.native()}, options.inputs));
  std::optional<SourceIndex> found = kept.load();
  if (!found || !fits(*found, 1)) {
    const std::int64_t start = IndexCache::now_ns();
    const Witness seen = witness_of(archive.native());
    found = index_zip(archive, options.inputs).finish({seen});
    check_found(*found, archive.native(), options.inputs);
    kept.save(*found, start);
  }
  return std::make_unique<ZipDataset>(std::move(*found), archive,
                                      FileDecoding{options.channels, options.decode});
}

}  // namespace dino::data
