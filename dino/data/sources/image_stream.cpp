#include "dino/data/sources/image_stream.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <limits>

#include "dino/base/byte_source.h"
#include "dino/base/child_process.h"
#include "dino/base/rng.h"
#include "dino/base/text.h"
#include "dino/data/sources/bad_image.h"
#include "dino/data/sources/brace_range.h"
#include "dino/data/sources/encoded_dataset.h"
#include "dino/data/sources/sample_name.h"
#include "dino/data/sources/sources.h"
#include "dino/format/gzip.h"
#include "dino/format/tar.h"
#include "dino/image/codecs/sniff.h"

namespace dino::data {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPipe = "pipe:";
constexpr std::size_t kBufferBytes = 512 << 20;
constexpr std::uint64_t kLongestTail = 16 << 20;  // bytes behind an archive's end mark

/** A source whose first bytes can be inspected before they are read. */
class Rewound : public ByteSource {
 public:
  Rewound(std::span<const std::byte> head, ByteSource& rest)
      : head_(head.begin(), head.end()), first_(head_), rest_(rest) {}
  std::size_t read(std::span<std::byte> out) override {
    const std::size_t count = first_.read(out);
    return count == out.size() ? count : count + rest_.read(out.subspan(count));
  }
  std::uint64_t skip(std::uint64_t count) override {
    const std::uint64_t skipped = first_.skip(count);
    return skipped == count ? count : skipped + rest_.skip(count - skipped);
  }

 private:
  std::vector<std::byte> head_;
  SpanSource first_;
  ByteSource& rest_;
};

/** A buffered source, since commands write their output in small pieces. */
class Buffered : public ByteSource {
 public:
  explicit Buffered(ByteSource& source) : source_(source), buffer_(64 << 10) {}
  std::size_t read(std::span<std::byte> out) override {
    std::size_t filled = rest_.read(out);
    while (filled < out.size()) {
      rest_ = SpanSource(std::span<const std::byte>(buffer_).first(source_.read_some(buffer_)));
      const std::size_t got = rest_.read(out.subspan(filled));
      if (got == 0) break;
      filled += got;
    }
    return filled;
  }

 private:
  ByteSource& source_;
  std::vector<std::byte> buffer_;
  SpanSource rest_{{}};
};

/** The rest of an archive's current member, as a source. */
class MemberSource : public ByteSource {
 public:
  explicit MemberSource(format::TarReader& reader) : reader_(reader) {}
  std::size_t read(std::span<std::byte> out) override { return reader_.read(out); }

 private:
  format::TarReader& reader_;
};

/** Encoded images in memory. */
class HeldImages : public EncodedDataset {
 public:
  HeldImages(ItemTable items, std::vector<std::vector<std::byte>> images,
             const FileDecoding& decoding)
      : EncodedDataset(std::move(items), decoding), images_(std::move(images)) {}

 protected:
  std::string item_name(std::int64_t item) const override {
    return std::string(items().name(item));
  }
  std::vector<std::byte> read(std::int64_t item) const override {
    return images_.at(static_cast<std::size_t>(item));
  }

 private:
  std::vector<std::vector<std::byte>> images_;
};

}  // namespace

bool is_stream(const std::string& source) {
  return source.starts_with(kPipe) || source.ends_with(".tar.gz") || source.ends_with(".tgz");
}

ImageStream::ImageStream(const std::string& source, StreamOptions options)
    : shards_(expand_braces(source)), options_(std::move(options)) {
  DINO_ASSERT(is_stream(source) && options_.shuffle_buffer >= 1);
  for (const std::string& shard : shards_) {
    std::error_code ignored;
    if (shard.starts_with(kPipe)) {
      if (shard.find_first_not_of(' ', kPipe.size()) == shard.npos)
        fail(ErrorKind::Data, "[open data set] '{}': no command behind pipe:", source);
    } else if (!fs::is_regular_file(shard, ignored)) {
      fail(ErrorKind::Io, "[open data set] '{}': no such file; check the path and the braces",
           printable(std::string_view(shard)));
    }
  }
}

// ---- one shard
// -----------------------------------------------------------------------------------

class ShardReader::Impl {
 public:
  Impl(const std::string& shard, const std::vector<std::string>& inputs,
       const std::stop_token& stop, const BadSink& bad)
      : name_(shard), inputs_(inputs), stop_(stop), bad_(bad) {}

  std::optional<EncodedImage> next() {
    if (finished_) return std::nullopt;
    if (auto page = next_page()) return page;
    try {
      if (levels_.empty()) open();
      while (auto member = next_member()) {
        if (stop_.stop_requested()) break;
        if (auto image = image_of(*member)) return image;
      }
      if (!stop_.stop_requested()) read_tail();
    } catch (const Error& error) {
      if (stop_.stop_requested()) return std::nullopt;  // which looks like a cut
      if (error.kind() == ErrorKind::Io)
        fail(ErrorKind::Data,
             "{}; is its disk still there? Bring it back, then continue with --resume",
             error.what());
      if (error.kind() != ErrorKind::Format) throw;
      bad_(name_, BadImage(ErrorKind::Format, BadReason::Truncated, error.what()));
    }
    finished_ = true;
    levels_.clear();
    command_.reset();
    return std::nullopt;
  }

 private:
  /** An archive being read: the shard, or one nested in the previous archive. */
  struct Level {
    std::string folder;  // that stands for it; empty, or ending in a slash
    std::unique_ptr<ByteSource> source;
    std::unique_ptr<format::TarReader> reader;
  };

  /** The next member of the innermost archive, named relative to the shard. */
  std::optional<format::TarMember> next_member() {
    for (;;) try {
        auto member = levels_.back().reader->next();
        if (!member && levels_.size() == 1) return std::nullopt;
        if (!member) {
          levels_.pop_back();
          continue;
        }
        member->path = levels_.back().folder + member->path;
        if (!is_inner_archive(*member, levels_.size())) return member;
        auto source = std::make_unique<MemberSource>(*levels_.back().reader);
        auto reader = std::make_unique<format::TarReader>(*source, member->path);
        levels_.push_back({folder_of_archive(member->path), std::move(source), std::move(reader)});
      } catch (const Error& error) {
        if (error.kind() != ErrorKind::Format || levels_.size() == 1) throw;
        const std::string name = fmt::format("{}#{}", name_, levels_.back().folder);
        levels_.pop_back();
        bad_(name, BadImage(ErrorKind::Format, BadReason::Truncated, error.what()));
      }
  }

  /** The member as an image; nothing if it is not one or is unusable, which is reported to `bad`.
   */
  std::optional<EncodedImage> image_of(const format::TarMember& member) {
    const MemberUse use = use_of(member.path, inputs_);
    if (use == MemberUse::Other) return std::nullopt;
    EncodedImage image{fmt::format("{}#{}", name_, member.path), {}};
    const auto refuse = [&](BadReason reason, std::string_view why) {
      bad_(image.name, BadImage(ErrorKind::Format, reason,
                                fmt::format("[load image] {} ({})", why,
                                            printable(std::string_view(image.name)))));
      return std::nullopt;
    };
    if (!member.refused.empty()) return refuse(BadReason::Corrupt, member.refused);
    if (member.size > kLargestImageBytes && use == MemberUse::Image)
      return refuse(BadReason::TooLarge,
                    fmt::format("{} bytes are more than {}", member.size, kLargestImageBytes));
    if (member.size > kLargestImageBytes) return std::nullopt;
    image.bytes.resize(static_cast<std::size_t>(member.size));
    levels_.back().reader->read(image.bytes);
    if (use == MemberUse::Unknown && image::kind_of(image.bytes) == image::ImageKind::Unknown)
      return std::nullopt;
    pages_.clear();
    if (has_tiff_extension(member.path))
      pages_ = image::tiff_pages(image::tiff_in_memory(image.bytes));
    if (pages_.size() <= 1) return image;
    paged_ = std::move(image);
    page_ = 0;
    return next_page();
  }

  /** The next page of the last file with several pages; nothing after its last one. */
  std::optional<EncodedImage> next_page() {
    while (page_ < pages_.size() && !paged_.bytes.empty()) {
      const std::uint64_t directory = pages_[page_];
      const auto page = static_cast<int>(page_++);
      const std::string name = fmt::format("{}#{}", paged_.name, page);
      try {
        return EncodedImage{name, read_image_page(image::tiff_in_memory(paged_.bytes), page,
                                                  paged_.name, directory)};
      } catch (const BadImage& error) {
        bad_(name, error);
      }
    }
    paged_ = {};
    return std::nullopt;
  }

  void open() {
    if (name_.starts_with(kPipe)) {
      command_ = std::make_unique<ChildProcess>(name_.substr(kPipe.size()), stop_);
      buffered_ = std::make_unique<Buffered>(*command_);
      source_ = buffered_.get();
    } else {
      file_ = std::make_unique<RandomAccessFile>(name_);
      file_source_ = std::make_unique<FileSource>(*file_);
      buffered_ = std::make_unique<Buffered>(*file_source_);
      source_ = buffered_.get();
    }
    std::array<std::byte, 2> head{};
    const std::size_t got = source_->read(head);
    if (got == 0 && !stop_.stop_requested())
      fail(ErrorKind::Format, "[read tar] {}: is empty", printable(std::string_view(name_)));
    rewound_ = std::make_unique<Rewound>(std::span(head).first(got), *source_);
    source_ = rewound_.get();
    if (format::is_gzip(std::span(head).first(got))) {
      gzip_ = std::make_unique<format::GzipReader>(*source_, name_);
      source_ = gzip_.get();
    }
    levels_.push_back({"", nullptr, std::make_unique<format::TarReader>(*source_, name_)});
  }

  /** Reads what follows the end mark, to check gzip's checksum and the command's exit status. */
  void read_tail() {
    if (gzip_) gzip_->skip(kLongestTail);
    rewound_->skip(kLongestTail);
  }

  std::string name_;
  const std::vector<std::string>& inputs_;
  std::stop_token stop_;
  const BadSink& bad_;
  bool finished_ = false;
  EncodedImage paged_;                // a file with several pages, and the next of them
  std::vector<std::uint64_t> pages_;  // their directories
  std::size_t page_ = 0;
  // In the order in which bytes pass through them.
  std::unique_ptr<ChildProcess> command_;
  std::unique_ptr<RandomAccessFile> file_;
  std::unique_ptr<FileSource> file_source_;
  std::unique_ptr<Buffered> buffered_;
  std::unique_ptr<Rewound> rewound_;
  std::unique_ptr<format::GzipReader> gzip_;
  ByteSource* source_ = nullptr;
  std::vector<Level> levels_;
};

ShardReader::ShardReader(const std::string& shard, const std::vector<std::string>& inputs,
                         const std::stop_token& stop, const BadSink& bad)
    : impl_(std::make_unique<Impl>(shard, inputs, stop, bad)) {}
ShardReader::~ShardReader() = default;
std::optional<EncodedImage> ShardReader::next() {
  return impl_->next();
}

std::unique_ptr<Dataset> first_images(const ImageStream& stream, std::int64_t count) {
  ItemTable items;
  std::vector<std::vector<std::byte>> images;
  const BadSink ignore = [](const std::string&, const Error&) {};
  for (const std::string& shard : stream.shards()) {
    ShardReader reader(shard, stream.options().inputs, {}, ignore);
    while (items.size() < count) {
      auto image = reader.next();
      if (!image) break;
      items.add(image->name);
      images.push_back(std::move(image->bytes));
    }
    if (items.size() >= count) break;
  }
  if (images.empty())
    fail(ErrorKind::Data, "[stream] no image in '{}'; check data.train",
         printable(std::string_view(stream.shards().front())));
  items.seal();
  return std::make_unique<HeldImages>(
      std::move(items), std::move(images),
      FileDecoding{stream.options().channels, stream.options().decode});
}

// ---- one epoch
// -----------------------------------------------------------------------------------

StreamEpoch::StreamEpoch(const ImageStream& stream, const StreamPosition& position,
                         std::stop_token stop, const BadSink& bad)
    : stream_(stream), position_(position), stop_(std::move(stop)), bad_(bad) {
  const auto shards = static_cast<int>(stream.shards().size());
  if (shards < position.world_size)
    fail(ErrorKind::Data, "[stream] {} shards cannot be split over {} ranks; make at least {}",
         shards, position.world_size, position.world_size);
}
StreamEpoch::~StreamEpoch() = default;

void StreamEpoch::begin_round() {
  // No image has this index, so the random stream of the shards' order differs from those of all
  // crops.
  constexpr auto kShards = std::numeric_limits<std::uint64_t>::max() - 1;
  Rng rng(position_.seed, position_.epoch, kShards, round_++);
  const auto all = random_permutation(static_cast<std::int64_t>(stream_.shards().size()), rng);
  order_.clear();
  for (auto at = static_cast<std::size_t>(position_.rank); at < all.size();
       at += static_cast<std::size_t>(position_.world_size))
    order_.push_back(static_cast<std::size_t>(all[at]));
  std::ranges::reverse(order_);  // the next one is taken from its end
  round_images_ = 0;
  round_over_ = false;
}

/** The next image of this round in the order of its shards. */
std::optional<EncodedImage> StreamEpoch::read() {
  while (!stop_.stop_requested()) {
    if (shard_) {
      if (auto image = shard_->next()) return image;
      shard_.reset();
    }
    if (order_.empty()) return std::nullopt;
    shard_ = std::make_unique<ShardReader>(stream_.shards()[order_.back()],
                                           stream_.options().inputs, stop_, bad_);
    order_.pop_back();
  }
  return std::nullopt;
}

std::optional<EncodedImage> StreamEpoch::next() {
  const auto most = static_cast<std::size_t>(stream_.options().shuffle_buffer);
  while (buffer_.empty() ||
         (!round_over_ && buffer_.size() < most && buffer_bytes_ < kBufferBytes)) {
    if (round_over_) begin_round();
    auto image = read();
    if (stop_.stop_requested()) return std::nullopt;
    if (image) {
      ++round_images_;
      buffer_bytes_ += image->bytes.size();
      buffer_.push_back(std::move(*image));
      continue;
    }
    round_over_ = true;
    if (round_images_ == 0)
      fail(ErrorKind::Data, "[stream] no image in '{}'{}; check data.train",
           printable(std::string_view(stream_.shards().front())),
           stream_.shards().size() > 1 ? " and the shards like it" : "");
  }
  constexpr auto kBuffer = std::numeric_limits<std::uint64_t>::max() - 2;
  Rng rng(position_.seed, position_.epoch, kBuffer, draws_++);
  std::swap(buffer_[rng.below(buffer_.size())], buffer_.back());
  EncodedImage drawn = std::move(buffer_.back());
  buffer_.pop_back();
  buffer_bytes_ -= drawn.bytes.size();
  return drawn;
}

}  // namespace dino::data
