// Images that come in one order only: gzipped tar shards and the output of commands, however large.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "dino/base/error.h"
#include "dino/data/sources/dataset.h"

namespace dino::data {

/** `pipe:COMMAND`, or a name that ends in .tar.gz or .tgz. */
bool is_stream(const std::string& source);

struct StreamOptions {
  int channels = 3;  ///< 1, 3 or as many as the files have
  image::DecodeOptions decode = {};
  std::vector<std::string> inputs;  ///< as SourceOptions::inputs
  int shuffle_buffer = 1000;  ///< images held (encoded, at most 512 MiB) to draw the next from
};

/** Shards to stream from. Thread-safe to read. */
class ImageStream {
 public:
  /** `source` may name many with braces. Throws Error{Data|Io} if it names none or a file is
   * missing. */
  ImageStream(const std::string& source, StreamOptions options);

  const std::vector<std::string>& shards() const { return shards_; }
  const StreamOptions& options() const { return options_; }

 private:
  std::vector<std::string> shards_;
  StreamOptions options_;
};

/** A file, or one page of a TIFF file of several. */
struct EncodedImage {
  std::string name;  ///< "shard#member", "shard#member#page"
  std::vector<std::byte> bytes;
};

/** The first `count` images of the stream, fewer if there are fewer, held in memory (encoded): to
 * look at. Throws Error{Data} if there are none. */
std::unique_ptr<Dataset> first_images(const ImageStream& stream, std::int64_t count);

/** Told of what cannot be read: its name and why. */
using BadSink = std::function<void(const std::string& name, const Error& error)>;

/** The images of one shard, front to back. */
class ShardReader {
 public:
  ShardReader(const std::string& shard, const std::vector<std::string>& inputs,
              const std::stop_token& stop, const BadSink& bad);
  ~ShardReader();
  /** The next image; nothing at the end, or where the rest is damaged, which `bad` is told. Pages
   * of a TIFF file follow each other. Throws Error{Data} if the command fails or the disk does. */
  std::optional<EncodedImage> next();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

/** Names a sequence of images: it depends on nothing else but the shards and their order. */
struct StreamPosition {
  std::uint64_t seed = 0, epoch = 0;
  int rank = 0, world_size = 1;
};

/** One rank's images of one epoch, without end: the shards in random order (rank r takes every
 * world_size-th), then in another, and so on. Images are drawn from a buffer that each round fills
 * and empties, so a round gives each image of its shards once. Thread-compatible. */
class StreamEpoch {
 public:
  /** Borrows `stream` and `bad`. Throws Error{Data} if there are fewer shards than ranks. */
  StreamEpoch(const ImageStream& stream, const StreamPosition& position, std::stop_token stop,
              const BadSink& bad);
  ~StreamEpoch();
  /** Nothing only once a stop is requested. Throws Error{Data} as ShardReader, and if a whole round
   * holds no image. */
  std::optional<EncodedImage> next();

 private:
  std::optional<EncodedImage> read();
  void begin_round();

  const ImageStream& stream_;
  StreamPosition position_;
  std::stop_token stop_;
  const BadSink& bad_;
  std::uint64_t round_ = 0, draws_ = 0;
  std::vector<std::size_t> order_;  // shards of this round still to come, last first
  std::unique_ptr<ShardReader> shard_;
  std::vector<EncodedImage> buffer_;
  std::size_t buffer_bytes_ = 0;
  std::uint64_t round_images_ = 0;  // read in this round
  bool round_over_ = true;
};

}  // namespace dino::data
