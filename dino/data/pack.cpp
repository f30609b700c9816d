#include "dino/data/pack.h"

#include <algorithm>
#include <chrono>
#include <mutex>
#include <nlohmann/json.hpp>
#include <span>
#include <string_view>

#include "dino/base/error.h"
#include "dino/base/file.h"
#include "dino/base/hash.h"
#include "dino/base/json_lines.h"
#include "dino/base/text.h"
#include "dino/format/tar.h"
#include "dino/image/codecs/encode.h"
#include "dino/image/pixels/resize.h"

namespace dino::data {
namespace {

using Bytes = std::vector<std::byte>;
using Clock = std::chrono::steady_clock;

constexpr std::int64_t kBlockImages = 64;  // images encoded at once, then written in order

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

std::filesystem::path shard_path(const std::filesystem::path& out, std::int64_t shard) {
  return out / fmt::format("shard-{:06d}.tar", shard);
}

/** The document that determines a pack: equal documents give equal shards. */
nlohmann::json settings_of(const Dataset& dataset, const std::string& source,
                           const PackOptions& options) {
  std::string names;
  for (std::int64_t i = 0; i < dataset.size(); ++i) {
    names += dataset.name(i);
    names += '\0';
  }
  return {{"source", printable(std::string_view(source))},
          {"images", dataset.size()},
          {"names", xxh3_128_hex(bytes_of(names))},
          {"size", options.size},
          {"quality", options.raw ? nlohmann::json() : nlohmann::json(options.quality)},
          {"raw", options.raw},
          {"value_range", options.value_range ? nlohmann::json({options.value_range->low,
                                                                options.value_range->high})
                                              : nlohmann::json()},
          {"shard_images", options.shard_images}};
}

void check(const PackOptions& options) {
  if (options.size < 0 || options.size > 65'500)
    fail(ErrorKind::Usage, "[pack] --size must lie in 0..65500 px: {}", options.size);
  if (options.quality < 1 || options.quality > 100)
    fail(ErrorKind::Usage, "[pack] --quality must lie in 1..100: {}", options.quality);
  if (options.shard_images < 1)
    fail(ErrorKind::Usage, "[pack] a shard holds at least one image, not {}", options.shard_images);
}

/** Prepares `out` as the folder of this pack, new or resumed. */
void claim(const std::filesystem::path& out, const nlohmann::json& settings) {
  const std::filesystem::path file = out / "pack.json";
  std::error_code ignored;
  if (std::filesystem::exists(file)) {
    const auto found = parse_json_if_valid(read_text_file(file)).value_or(nlohmann::json());
    for (const auto& [key, value] : settings.items()) {
      const auto there = found.is_object() ? found.value(key, nlohmann::json()) : found;
      if (there != value)
        fail(ErrorKind::Usage,
             "[pack] {} holds another pack: {} is {} there, {} here; name another folder",
             printable(out), key, found.is_object() ? there.dump() : "?", value.dump());
    }
    return;
  }
  if (std::filesystem::exists(out) && !std::filesystem::is_empty(out, ignored))
    fail(ErrorKind::Usage, "[pack] {} holds something that is no pack; name a new folder",
         printable(out));
  std::error_code error;
  std::filesystem::create_directories(out, error);
  if (error)
    fail(ErrorKind::Io, "[pack] cannot make the folder {}: {}", printable(out), error.message());
  write_file_atomically(file, settings.dump(2) + "\n");
}

image::Image shrunk(image::Image image, int size) {
  const int side = std::min(image.width, image.height);
  if (size == 0 || side <= size) return image;
  const auto scaled = [&](int length) {
    return std::max(1,
                    static_cast<int>((static_cast<std::int64_t>(length) * size + side / 2) / side));
  };
  return image::resize(image, scaled(image.width), scaled(image.height));
}

Bytes to_pnm(const image::Image& image) {
  const std::string header =
      fmt::format("P{}\n{} {}\n255\n", image.channels == 1 ? 5 : 6, image.width, image.height);
  Bytes bytes(header.size() + image.pixels.size());
  std::ranges::copy(bytes_of(header), bytes.begin());
  std::ranges::copy(std::as_bytes(std::span(image.pixels)),
                    bytes.begin() + static_cast<std::ptrdiff_t>(header.size()));
  return bytes;
}

class Packer {
 public:
  Packer(const Dataset& dataset, const PackOptions& options, ThreadPool& threads,
         const std::function<void(std::int64_t)>& progress, const std::stop_token& stop)
      : dataset_(dataset),
        options_(options),
        threads_(threads),
        progress_(progress),
        stop_(stop),
        has_labels_(!dataset.class_names().empty()) {}

  /** Writes images [begin, end) and the end mark. Throws Stopped. */
  void write_shard(std::int64_t begin, std::int64_t end, const format::TarWriter::Sink& sink) {
    format::TarWriter tar(sink);
    for (std::int64_t at = begin; at < end; at += kBlockImages) {
      if (stop_.stop_requested()) throw Stopped{};
      const std::int64_t count = std::min(kBlockImages, end - at);
      std::vector<Encoded> block(static_cast<std::size_t>(count));
      threads_.parallel_for(
          count, [&](std::int64_t i) { block[static_cast<std::size_t>(i)] = encode(at + i); });
      for (std::int64_t i = 0; i < count; ++i) add(tar, at + i, block[static_cast<std::size_t>(i)]);
      if (progress_) progress_(at + count);
    }
    tar.finish();
  }

  struct Stopped {};
  PackReport report;

 private:
  struct Encoded {
    Bytes bytes;  // empty: a bad image
    const char* extension = "";
  };

  Encoded encode(std::int64_t index) {
    image::Image image;
    const Clock::time_point start = Clock::now();
    try {
      image = dataset_.load(index);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::Io && error.kind() != ErrorKind::Format) throw;
      const std::lock_guard lock(mutex_);
      report.bad.push_back(
          fmt::format("{}: {}", printable(std::string_view(dataset_.name(index))), error.what()));
      return {};
    }
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    image = shrunk(std::move(image), options_.size);
    {
      const std::lock_guard lock(mutex_);
      report.load_seconds += seconds;
    }
    if (options_.raw) return {to_pnm(image), image.channels == 1 ? "pgm" : "ppm"};
    return {image::encode_jpeg(image, options_.quality), "jpg"};
  }

  void add(format::TarWriter& tar, std::int64_t index, const Encoded& image) {
    if (image.bytes.empty()) return;
    const std::string key = fmt::format("{:09d}", index);
    const std::int64_t label = has_labels_ ? dataset_.label(index) : -1;
    if (label >= 0)
      tar.add(key + ".cls", bytes_of(dataset_.class_names().at(static_cast<std::size_t>(label))));
    tar.add(fmt::format("{}.{}", key, image.extension), image.bytes);
    ++report.images;
  }

  const Dataset& dataset_;
  const PackOptions& options_;
  ThreadPool& threads_;
  const std::function<void(std::int64_t)>& progress_;
  const std::stop_token& stop_;
  const bool has_labels_;
  std::mutex mutex_;  // guards the report while threads encode
};

/** The number of images in a complete shard: its members except labels. */
std::int64_t images_in(const std::filesystem::path& shard) {
  const Bytes bytes = read_file(shard);
  SpanSource source(bytes);
  format::TarReader tar(source, shard.string());
  std::int64_t images = 0;
  while (const auto member = tar.next()) images += member->path.ends_with(".cls") ? 0 : 1;
  return images;
}

}  // namespace

PackReport pack(const Dataset& dataset, const std::string& source, const std::filesystem::path& out,
                const PackOptions& options, ThreadPool& threads,
                const std::function<void(std::int64_t)>& progress, const std::stop_token& stop) {
  check(options);
  claim(out, settings_of(dataset, source, options));
  const Clock::time_point start = Clock::now();
  Packer packer(dataset, options, threads, progress, stop);
  PackReport& report = packer.report;
  const std::int64_t shards = (dataset.size() + options.shard_images - 1) / options.shard_images;
  std::int64_t complete = 0;  // images in complete shards
  try {
    for (std::int64_t shard = 0; shard < shards; ++shard) {
      const std::filesystem::path path = shard_path(out, shard);
      const std::int64_t begin = shard * options.shard_images;
      const std::int64_t end = std::min(dataset.size(), begin + options.shard_images);
      if (std::filesystem::exists(path)) {
        const std::int64_t images = images_in(path);
        report.images += images;
        report.reused += images;
        if (progress) progress(end);
      } else {
        write_file_atomically(path,
                              [&](const auto& sink) { packer.write_shard(begin, end, sink); });
      }
      report.bytes += std::filesystem::file_size(path);
      ++report.shards;
      complete = report.images;
    }
    report.finished = true;
  } catch (const Packer::Stopped&) {  // the shard in the making is gone, those before it stay
    report.images = complete;
  }
  report.seconds = std::chrono::duration<double>(Clock::now() - start).count();
  return report;
}

std::string shard_pattern(const std::filesystem::path& out, std::int64_t shards) {
  if (shards == 1) return shard_path(out, 0).string();
  return (out / fmt::format("shard-{{000000..{:06d}}}.tar", shards - 1)).string();
}

}  // namespace dino::data
