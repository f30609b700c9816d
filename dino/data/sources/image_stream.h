// Sources of images that can only be read sequentially: gzipped tar shards and the output of
// commands.
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

/** Whether `source` is `pipe:COMMAND` or a name that ends in .tar.gz or .tgz. */
bool is_stream(const std::string& source);

struct StreamOptions {
  int channels = 3;  ///< 1, 3 or the number of bands of the files
  image::DecodeOptions decode = {};
  std::vector<std::string> inputs;  ///< see SourceOptions::inputs
  int shuffle_buffer = 1000;        ///< encoded images (at most 512 MiB) to draw the next from
};

/** The shards of a stream and how to read them. Immutable, so thread-safe. */
class ImageStream {
 public:
  /** `source` may contain brace ranges. Throws Error{Data|Io} if it names no shards or a file is
   * missing. */
  ImageStream(const std::string& source, StreamOptions options);

  const std::vector<std::string>& shards() const { return shards_; }
  const StreamOptions& options() const { return options_; }

 private:
  std::vector<std::string> shards_;
  StreamOptions options_;
};

/** An encoded image file, or one page of a TIFF file. */
struct EncodedImage {
  std::string name;  ///< "shard#member", "shard#member#page"
  std::vector<std::byte> bytes;
};

/** The first `count` images of the stream (or all, if there are fewer), held encoded in memory, for
 * inspection. Throws Error{Data} if there are none. */
std::unique_ptr<Dataset> first_images(const ImageStream& stream, std::int64_t count);

/** Receives the name of an unreadable entry and the error. */
using BadSink = std::function<void(const std::string& name, const Error& error)>;

/** Reads the images of one shard in order. */
class ShardReader {
 public:
  ShardReader(const std::string& shard, const std::vector<std::string>& inputs,
              const std::stop_token& stop, const BadSink& bad);
  ~ShardReader();
  /** The next image; nothing at the end, or if the rest is damaged, which is reported to `bad`.
   * Each page of a TIFF file is an image. Throws Error{Data} if the command or the disk fails. */
  std::optional<EncodedImage> next();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

/** The key of a sequence of images, which otherwise depends only on the shards and their order. */
struct StreamPosition {
  std::uint64_t seed = 0, epoch = 0;
  int rank = 0, world_size = 1;
};

/** An endless sequence of one rank's images of one epoch: the shards in random order (rank r takes
 * every world_size-th), then again in another order, and so on. Images are drawn from a shuffle
 * buffer that is emptied at the end of each round, so a round gives each image of its shards once.
 * Thread-compatible. */
class StreamEpoch {
 public:
  /** Borrows `stream` and `bad`. Throws Error{Data} if there are fewer shards than ranks. */
  StreamEpoch(const ImageStream& stream, const StreamPosition& position, std::stop_token stop,
              const BadSink& bad);
  ~StreamEpoch();
  /** The next image; nothing only after a stop is requested. Throws Error{Data} as ShardReader
   * does, and if a whole round has no image. */
  std::optional<EncodedImage> next();

 private:
  std::optional<EncodedImage> read();
  void begin_round();

  const ImageStream& stream_;
  StreamPosition position_;
  std::stop_token stop_;
  const BadSink& bad_;
  std::uint64_t round_ = 0, draws_ = 0;
  std::vector<std::size_t> order_;  // shards of this round still to be read, last first
  std::unique_ptr<ShardReader> shard_;
  std::vector<EncodedImage> buffer_;
  std::size_t buffer_bytes_ = 0;
  std::uint64_t round_images_ = 0;  // images read in this round
  bool round_over_ = true;
};

}  // namespace dino::data
