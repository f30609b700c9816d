// Images in zip archives, found once and then unpacked one by one.
#include <algorithm>
#include <optional>

#include "dino/base/byte_source.h"
#include "dino/base/error.h"
#include "dino/base/mapped_file.h"
#include "dino/base/text.h"
#include "dino/data/sources/archive_dataset.h"
#include "dino/data/sources/sample_name.h"
#include "dino/data/sources/sources.h"
#include "dino/format/zip.h"

namespace dino::data {
namespace {

namespace fs = std::filesystem;

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
    return from_disk([&] { return unpack(file_, items().name(item), place, kLargestImageBytes); });
  }

 private:
  RandomAccessFile file_;
};

ArchiveIndex index_zip(const fs::path& archive, const std::vector<std::string>& inputs) {
  const RandomAccessFile file(archive);
  std::vector<ArchiveMember> members;
  {
    const MappedFile mapped = map_file(archive);
    for (const format::ZipEntry& entry : format::list_zip(mapped.bytes, archive.native())) {
      std::string name(entry.name);
      std::ranges::replace(name, '\\', '/');  // of programs for Windows
      members.push_back({std::move(name), {entry.begin, image_size(entry.packed)}});
    }
  }
  const auto label = [&](const Place& place) {
    const auto bytes = unpack(file, "label", place, kLargestLabel);
    return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  };
  const auto pages = [&](const Place& place) {
    const auto bytes = unpack(file, "pages", place, kLargestImageBytes);
    return count_pages(image::tiff_in_memory(bytes));
  };
  const auto head = [&](const Place& place) {
    std::vector<std::byte> bytes(kTellingBytes);
    bytes.resize(format::read_zip_head(file, {"head", place.where, place.size}, bytes));
    return bytes;
  };
  ArchiveIndex index(inputs);
  index.add(std::move(members), {label, pages, head});
  return index;
}

}  // namespace

std::unique_ptr<Dataset> open_zip(const fs::path& archive, const SourceOptions& options) {
  const IndexCache kept(options.cache, cache_key("zip", {archive.native()}, options.inputs));
  std::optional<SourceIndex> found = kept.load();
  if (!found || std::ssize(found->where) != found->items.size()) {
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
