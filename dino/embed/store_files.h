// The files of a feature store: names, what store.json and the index say, shards that grow.
#pragma once
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "dino/base/unique_fd.h"
#include "dino/embed/feature_store.h"

namespace dino::embed {

/** Where things lie in a store. */
struct StoreLayout {
  std::filesystem::path root;
  std::filesystem::path description() const { return root / "store.json"; }
  std::filesystem::path index() const { return root / "index.jsonl"; }
  std::filesystem::path bad() const { return root / "bad.jsonl"; }
  std::filesystem::path lock() const { return root / ".lock"; }
  std::filesystem::path shard(Feature feature, std::int64_t number) const;
  /** The number, if `path` is named like a shard of that feature. */
  static std::optional<std::int64_t> shard_number(Feature feature,
                                                  const std::filesystem::path& path);
};

/** store.json. The counts are the commit point: what lies in other files beyond them is not there
 * yet. */
struct StoreDescription {
  StoreHeader header;
  std::vector<std::string> sources, class_names, kernels;
  std::int64_t images = 0;      ///< lines of the index
  std::int64_t bad_images = 0;  ///< lines of bad.jsonl
};
nlohmann::json to_json(const StoreDescription& description);
/** Throws Error{Io|Format} naming the file. */
StoreDescription read_description(const StoreLayout& layout);
/** "key: value there, value here" for each thing in which rows of the two would differ. */
std::vector<std::string> differences(const StoreHeader& there, const StoreHeader& here);

std::string index_line(const StoreRow& row, std::int64_t number, const StoreDescription& store);
std::string bad_line(std::string_view path, std::string_view reason);
/** The first `count` lines and how many bytes they take; what follows is not committed. Throws
 * Error{Io|Format} naming file and line. */
struct IndexPart {
  std::vector<StoreRow> rows;
  std::int64_t bytes = 0;
};
IndexPart read_index(const StoreLayout& layout, const StoreDescription& store);
struct BadPart {
  std::vector<std::string> paths;
  std::int64_t bytes = 0;
};
BadPart read_bad(const StoreLayout& layout, std::int64_t count);

/** Rows that a shard of `images` images (those from `first` on) holds of a feature. */
std::int64_t shard_array_rows(Feature feature, const std::vector<StoreRow>& rows,
                              std::int64_t first, std::int64_t images);
/** Shape of such an array of n rows: [n, D], or [n, R, D] for registers. */
std::vector<std::int64_t> shard_shape(const StoreHeader& header, Feature feature, std::int64_t n);

/** A file that only grows, from a known length on. Throws Error{Io} naming the path. */
class GrowingFile {
 public:
  /** Makes it if it is missing; cuts off what lies beyond `bytes`. */
  GrowingFile(std::filesystem::path path, std::int64_t bytes);
  void append(std::string_view bytes);  ///< into memory, to disk when there is a megabyte
  void append(std::span<const std::byte> bytes) {
    append({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  }
  /** Replaces what stands at the file's start. */
  void overwrite_start(std::string_view bytes);
  /** Returns when everything is on the disk. */
  void sync();

 private:
  void write_at(std::string_view bytes, std::int64_t offset);
  void flush();

  std::filesystem::path path_;
  UniqueFd file_;
  std::int64_t written_ = 0;
  std::string buffer_;
};

/** An NPY file whose number of rows is not known yet. */
class GrowingNpy {
 public:
  GrowingNpy(const StoreLayout& layout, const StoreHeader& header, Feature feature,
             std::int64_t number, std::int64_t rows);
  /** Whole rows. Throws Error{Data} if a value does not fit F16. */
  void append(std::span<const float> values);
  void sync();
  std::int64_t rows() const { return rows_; }

 private:
  std::string header_text(std::int64_t rows) const;

  const StoreHeader& header_;
  Feature feature_;
  std::int64_t rows_;
  std::filesystem::path path_;
  GrowingFile file_;
  std::vector<std::uint16_t> halves_;
};

/** Makes new names in the folder survive a power cut. */
void sync_folder(const std::filesystem::path& folder);

}  // namespace dino::embed
