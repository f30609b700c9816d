// Images in tar shards, found once and then read one by one from their places. A tar archive within
// one counts as the folder of its name: so is ImageNet packed, a class each.
#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <unordered_map>

#include "dino/base/byte_source.h"
#include "dino/base/error.h"
#include "dino/base/text.h"
#include "dino/data/sources/archive_dataset.h"
#include "dino/data/sources/sample_name.h"
#include "dino/data/sources/sources.h"
#include "dino/format/gzip.h"
#include "dino/format/tar.h"

namespace dino::data {
namespace {

// Place::where of a tar member: sparse << 63 | shard << 40 | block of 512 bytes. Of a sparse member
// the block is that of its first header, from which it is read again; else that of its data.
constexpr int kBlockBits = 40;
constexpr std::uint64_t kTarBlock = 512, kSparse = std::uint64_t{1} << 63;

std::uint64_t shard_of(std::uint64_t where) {
  return (where & ~kSparse) >> kBlockBits;
}

/** The offset of the member in its shard. */
std::uint64_t offset_in_shard(const Place& place) {
  return (place.where & ((std::uint64_t{1} << kBlockBits) - 1)) * kTarBlock;
}

/** Reads up to the first `bytes` of a member. */
std::vector<std::byte> read_member(const RandomAccessFile& file, const Place& place,
                                   std::size_t bytes) {
  std::vector<std::byte> out(bytes);
  if ((place.where & kSparse) == 0) {
    out.resize(file.read_at(offset_in_shard(place), out));
    return out;
  }
  FileSource source(file, offset_in_shard(place));
  format::TarReader reader(source, file.path().native());
  const auto member = reader.next();
  out.resize(member && member->sparse ? reader.read(out) : 0);
  return out;
}

class TarDataset : public ArchiveDataset {
 public:
  TarDataset(SourceIndex index, std::vector<std::string> shards, const FileDecoding& decoding)
      : ArchiveDataset(std::move(index), decoding), shards_(std::move(shards)) {}

 protected:
  std::string item_name(std::int64_t item) const override {
    return fmt::format("{}#{}", shards_.at(shard_of(where(item))), items().name(item));
  }
  std::vector<std::byte> read(std::int64_t item, const Place& place) const override {
    return from_disk([&] {
      std::vector<std::byte> bytes = read_member(shard(place), place, place.size);
      if (bytes.size() < place.size)
        throw BadImage(
            ErrorKind::Format, BadReason::Truncated,
            fmt::format("[load image] the shard ends within it ({})", printable(item_name(item))));
      return bytes;
    });
  }
  std::vector<std::byte> read_page(std::int64_t item, const Place& place, int page) const override {
    if ((place.where & kSparse) != 0) return ArchiveDataset::read_page(item, place, page);
    return from_disk([&] {
      const RandomAccessFile file = shard(place);
      return read_image_page(image::tiff_in_file(file, offset_in_shard(place), place.size), page,
                             item_name(item));
    });
  }

 private:
  /** Opened for each image: thousands of shards would be too many to keep open. */
  RandomAccessFile shard(const Place& place) const {
    return RandomAccessFile(shards_.at(shard_of(place.where)));
  }

  std::vector<std::string> shards_;
};

/** Finds the members of one shard and of the archives within it. */
class ShardScan {
 public:
  ShardScan(const std::string& path, std::uint64_t number, ArchiveIndex& index)
      : file_(path), first_(number << kBlockBits), index_(index) {
    if (std::array<std::byte, 2> head; file_.read_at(0, head) == 2 && format::is_gzip(head))
      fail(ErrorKind::Data,
           "[open data set] '{}' is gzipped; name it .tar.gz, or unpack it with gunzip",
           printable(std::string_view(path)));
  }

  void run() {
    if (file_.size() == 0)
      damaged_.push_back(first_);
    else
      scan(0, file_.size(), "", 1);
    follow_links();
    index_.add(std::move(members_), look());
    for (const std::uint64_t where : damaged_) index_.add_damage(where);
  }

 private:
  /** Lists the archive in [begin, begin + bytes) of the file; a damaged part becomes one bad image.
   * `folder` stands for the archive: empty, or ending in a slash. */
  void scan(std::uint64_t begin, std::uint64_t bytes, const std::string& folder,
            std::size_t depth) {
    FileSource source(file_, begin, bytes);
    format::TarReader reader(source, file_.path().native());
    try {
      bool empty = true;
      for (; const auto member = reader.next(); empty = false) add(*member, begin, folder, depth);
      if (empty && depth > 1) index_.note("archives within it are empty", folder);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::Format) throw;
      damaged_.push_back(first_ | begin / kTarBlock);
      if (depth > 1) index_.note("archives within it are damaged", folder, error.what());
    }
  }

  void add(const format::TarMember& member, std::uint64_t begin, const std::string& folder,
           std::size_t depth) {
    std::string path = folder + member.path;
    if (is_inner_archive(member, depth)) {
      scan(begin + member.offset, member.size, folder_of_archive(path), depth + 1);
      return;
    }
    if (!member.link.empty()) {
      links_.push_back({std::move(path), folder + member.link});
      return;
    }
    if (!member.refused.empty()) index_.note("members are not read", path, member.refused);
    const std::uint64_t at = begin + (member.sparse ? member.header : member.offset);
    members_.push_back({std::move(path),
                        {(member.sparse ? kSparse : 0) | first_ | at / kTarBlock,
                         member.refused.empty() ? image_size(member.size) : kRefused}});
  }

  /** Links become members with the place of what they lead to, which may be a link too. Those that
   * lead out of the archive, or in a circle, are noted. */
  void follow_links() {
    if (links_.empty()) return;
    std::unordered_map<std::string, Place> places;
    for (const ArchiveMember& member : members_) places.emplace(member.name, member.place);
    for (bool any = true; any;) {
      any = false;
      std::vector<Link> left;
      for (Link& link : links_) {
        const auto found = places.find(link.target);
        if (found == places.end()) {
          left.push_back(std::move(link));
          continue;
        }
        any = true;
        const Place place = found->second;
        places.emplace(link.path, place);
        members_.push_back({std::move(link.path), place});
      }
      links_ = std::move(left);
    }
    for (const Link& link : links_)
      index_.note("links lead to nothing in their archive", link.path, "to " + link.target);
  }

  ArchiveIndex::Look look() const {
    const auto label = [this](const Place& place) {
      const auto bytes = read_member(file_, place, place.size);
      return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    };
    const auto pages = [this](const Place& place) {
      if ((place.where & kSparse) == 0)
        return count_pages(image::tiff_in_file(file_, offset_in_shard(place), place.size));
      const auto bytes = read_member(file_, place, place.size);
      return count_pages(image::tiff_in_memory(bytes));
    };
    const auto head = [this](const Place& place) {
      return read_member(file_, place, std::min<std::size_t>(place.size, kTellingBytes));
    };
    return {label, pages, head};
  }

  RandomAccessFile file_;
  std::uint64_t first_;  // its shard's bits of Place::where
  ArchiveIndex& index_;
  struct Link {
    std::string path, target;
  };

  std::vector<ArchiveMember> members_;
  std::vector<Link> links_;
  std::vector<std::uint64_t> damaged_;  // places
};

/** Whether a cached index is consistent with this number of archives. */
bool fits(const SourceIndex& index, std::size_t archives) {
  return static_cast<std::int64_t>(index.where.size()) == index.items.size() &&
         std::ranges::all_of(index.where,
                             [&](std::uint64_t where) { return shard_of(where) < archives; });
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
      ShardScan(shards[i], i, index).run();
    }
    found = index.finish(std::move(witnesses));
    check_found(*found, shards.front(), options.inputs);
    kept.save(*found, start);
  }
  return std::make_unique<TarDataset>(std::move(*found), shards,
                                      FileDecoding{options.channels, options.decode});
}

}  // namespace dino::data
