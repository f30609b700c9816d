// Images in tar shards and zip archives, found once and then read one by one from their places.
// An image belongs to the sample that its name begins with (up to the first dot, as WebDataset has
// it); `.cls` and `.json` members of a sample label its images.
#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <numeric>
#include <optional>
#include <span>

#include "dino/base/byte_source.h"
#include "dino/base/error.h"
#include "dino/base/json.h"
#include "dino/base/mapped_file.h"
#include "dino/base/text.h"
#include "dino/data/dataset_sources.h"
#include "dino/data/encoded_dataset.h"
#include "dino/data/index_cache.h"
#include "dino/data/sample_name.h"
#include "dino/format/gzip.h"
#include "dino/format/tar.h"
#include "dino/format/zip.h"

namespace dino::data {
namespace {

namespace fs = std::filesystem;

// Sizes that no image has say why there is none.
constexpr std::uint32_t kDamaged = ~0u, kMislabelled = ~0u - 1, kTooLarge = ~0u - 2;
constexpr std::uint64_t kLargestLabel = 1 << 20;  // bytes of a .cls or .json member

// ---- what is in the archives
// ---------------------------------------------------------------------

struct Member {
  std::string name;
  Place place;
};

class ArchiveIndex {
 public:
  using ReadBytes = std::function<std::string(const Place&)>;

  explicit ArchiveIndex(const std::vector<std::string>& inputs) : inputs_(inputs) {}

  /** The members of one archive; `read` gives the bytes of one of them. Throws what `read` throws
   * but for Error{Format}. */
  void add(std::vector<Member> members, const ReadBytes& read) {
    std::stable_sort(members.begin(), members.end(), [](const Member& a, const Member& b) {
      return sample_key(a.name) < sample_key(b.name);
    });
    for (std::size_t begin = 0, end; begin < members.size(); begin = end) {
      const std::string_view key = sample_key(members[begin].name);
      for (end = begin + 1; end < members.size() && sample_key(members[end].name) == key;) ++end;
      add_sample({members.begin() + static_cast<std::ptrdiff_t>(begin),
                  members.begin() + static_cast<std::ptrdiff_t>(end)},
                 read);
    }
  }

  /** Something in an archive that cannot be read. */
  void add_damage(std::uint64_t where) { push("~damaged", {where, kDamaged}, ""); }

  /** Sorted by name, so that the order does not depend on how images were packed. */
  SourceIndex finish(std::vector<Witness> witnesses) {
    std::vector<std::uint32_t> order(found_.size());
    std::iota(order.begin(), order.end(), 0u);
    std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
      const int names = name(a).compare(name(b));
      return names != 0 ? names < 0 : found_[a].place.where < found_[b].place.where;
    });
    const std::size_t shared = labels_.size() > 1 ? 0 : shared_folders();
    const auto text = [&](std::uint32_t i) {
      return labels_.size() > 1 ? std::string_view(labels_[found_[i].label])
                                : first_level(name(i).substr(shared));
    };
    const auto readable = [&](std::uint32_t i) {
      return found_[i].place.size != kDamaged && found_[i].place.size != kMislabelled;
    };
    // What cannot be read has any label, so that the others keep theirs.
    const auto first = std::find_if(order.begin(), order.end(), readable);
    SourceIndex index;
    index.witnesses = std::move(witnesses);
    for (const std::uint32_t i : order) {
      const Found& item = found_[i];
      const std::string_view label = readable(i) || first == order.end() ? text(i) : text(*first);
      index.items.add(name(i), label);
      index.where.push_back(item.place.where);
      index.sizes.push_back(item.place.size);
    }
    index.items.seal();
    index.where.shrink_to_fit();
    index.sizes.shrink_to_fit();
    return index;
  }

 private:
  struct Found {
    std::uint64_t name_begin;
    Place place;
    std::uint32_t name_bytes, label;  // label: in labels_, 0 = none
  };

  std::string_view name(std::size_t i) const {
    return std::string_view(names_).substr(found_[i].name_begin, found_[i].name_bytes);
  }

  void push(std::string_view name, Place place, const std::string& label) {
    std::uint32_t number = 0;
    if (!label.empty()) {
      number =
          numbers_.try_emplace(label, static_cast<std::uint32_t>(labels_.size())).first->second;
      if (number == labels_.size()) labels_.push_back(label);
    }
    found_.push_back({names_.size(), place, static_cast<std::uint32_t>(name.size()), number});
    names_ += name;
  }

  void add_sample(std::span<const Member> members, const ReadBytes& read) {
    std::string label;
    bool readable = true;
    for (const Member& member : members) {
      const std::string extension = sample_extension(member.name);
      if (extension != "cls" && extension != "json") continue;
      try {
        if (member.place.size > kLargestLabel) fail(ErrorKind::Format, "[read label] too long");
        const std::string found = parse_label(read(member.place), extension == "json");
        if (!found.empty()) label = found;
      } catch (const Error& error) {
        if (error.kind() != ErrorKind::Format) throw;
        readable = false;
      }
    }
    for (const Member& member : members)
      if (is_input(member.name, inputs_))
        push(member.name, {member.place.where, readable ? member.place.size : kMislabelled}, label);
  }

  /** Length of the folders in front that all names have in common. */
  std::size_t shared_folders() const {
    std::optional<std::string_view> shared;
    for (std::size_t i = 0; i < found_.size(); ++i) {
      if (found_[i].place.size == kDamaged) continue;
      const std::string_view folders = name(i).substr(0, name(i).rfind('/') + 1);
      if (!shared) shared = folders;
      const auto differ =
          std::mismatch(shared->begin(), shared->end(), folders.begin(), folders.end());
      shared = shared->substr(0, static_cast<std::size_t>(differ.first - shared->begin()));
      shared = shared->substr(0, shared->rfind('/') + 1);
    }
    return shared ? shared->size() : 0;
  }

  const std::vector<std::string>& inputs_;
  std::string names_;
  std::vector<Found> found_;
  std::vector<std::string> labels_ = {""};
  std::map<std::string, std::uint32_t> numbers_;
};

/** Images at places in archives. */
class ArchiveDataset : public EncodedDataset {
 public:
  ArchiveDataset(SourceIndex index, const FileDecoding& decoding)
      : EncodedDataset(std::move(index.items), decoding),
        where_(std::move(index.where)),
        sizes_(std::move(index.sizes)) {}

 protected:
  virtual std::vector<std::byte> read(std::int64_t index, const Place& place) const = 0;
  std::uint64_t where(std::int64_t index) const {
    return where_.at(static_cast<std::size_t>(index));
  }

  std::vector<std::byte> read(std::int64_t index) const final {
    const auto i = static_cast<std::size_t>(index);
    const Place place{where_.at(i), sizes_.at(i)};
    const auto refuse = [&](BadReason reason, std::string_view why) {
      throw BadImage(
          ErrorKind::Format, reason,
          fmt::format("[load image] {} ({})", why, printable(std::string_view(name(index)))));
    };
    if (place.size == kDamaged)
      refuse(BadReason::Truncated, "the archive is damaged or cut short: the rest of it is lost");
    if (place.size == kMislabelled)
      refuse(BadReason::Mislabelled, "its .cls or .json member is no label");
    if (place.size == kTooLarge)
      refuse(BadReason::TooLarge, fmt::format("more than {} bytes", kLargestImageBytes));
    try {
      return read(index, place);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::Io) throw;
      fail(ErrorKind::Data,
           "{}; is its disk still there? Bring it back, then continue with --resume", error.what());
    }
  }

 private:
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

class TarDataset : public ArchiveDataset {
 public:
  TarDataset(SourceIndex index, std::vector<std::string> shards, const FileDecoding& decoding)
      : ArchiveDataset(std::move(index), decoding), shards_(std::move(shards)) {}

  std::string name(std::int64_t index) const override {
    return fmt::format("{}#{}", shards_.at(where(index) >> kBlockBits), items().name(index));
  }

 protected:
  std::vector<std::byte> read(std::int64_t index, const Place& place) const override {
    // Opened for each image: thousands of shards would be too many to keep open.
    const RandomAccessFile shard(shards_.at(place.where >> kBlockBits));
    std::vector<std::byte> bytes(place.size);
    const std::uint64_t block = place.where & ((std::uint64_t{1} << kBlockBits) - 1);
    if (shard.read_at(block * kBlock, bytes) < bytes.size())
      throw BadImage(
          ErrorKind::Format, BadReason::Truncated,
          fmt::format("[load image] the shard ends within it ({})", printable(name(index))));
    return bytes;
  }

 private:
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
  std::vector<Member> members;
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
  index.add(std::move(members), [&](const Place& place) {
    std::string bytes(place.size, '\0');
    const std::uint64_t block = place.where & ((std::uint64_t{1} << kBlockBits) - 1);
    bytes.resize(file.read_at(block * kBlock, std::as_writable_bytes(std::span(bytes))));
    return bytes;
  });
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

  std::string name(std::int64_t index) const override {
    return fmt::format("{}#{}", file_.path().native(), items().name(index));
  }

 protected:
  std::vector<std::byte> read(std::int64_t index, const Place& place) const override {
    return unpack(file_, items().name(index), place, kLargestImageBytes);
  }

 private:
  RandomAccessFile file_;
};

}  // namespace

std::unique_ptr<Dataset> open_tar(const std::vector<std::string>& shards,
                                  const SourceOptions& options) {
  const IndexCache kept(options.cache, cache_key("tar", shards, options.inputs));
  std::optional<SourceIndex> found = kept.load();
  if (!found) {
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
  const RandomAccessFile file(archive);
  std::vector<Member> members;
  {
    const MappedFile mapped = map_file(archive);
    for (const format::ZipEntry& entry : format::list_zip(mapped.bytes, archive.native()))
      members.push_back({std::string(entry.name), {entry.begin, image_size(entry.packed)}});
  }
  ArchiveIndex index(options.inputs);
  index.add(std::move(members), [&](const Place& place) {
    const auto bytes = unpack(file, "label", place, kLargestLabel);
    return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  });
  SourceIndex found = index.finish({});
  check_found(found, archive.native(), options.inputs);
  return std::make_unique<ZipDataset>(std::move(found), archive,
                                      FileDecoding{options.channels, options.decode});
}

}  // namespace dino::data
