// The files of a feature store: their names, the contents of store.json and the index, and growing
// shards. Private to dino/embed.
#pragma once
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "dino/base/unique_fd.h"
#include "dino/embed/store/feature_store.h"

namespace dino::embed {

/** The paths of a store's files. */
struct StoreLayout {
  std::filesystem::path root;
  std::filesystem::path description() const { return root / "store.json"; }
  std::filesystem::path index() const { return root / "index.jsonl"; }
  std::filesystem::path bad() const { return root / "bad.jsonl"; }
  std::filesystem::path lock() const { return root / ".lock"; }
  std::filesystem::path shard(Feature feature, std::int64_t number) const;
  /** The number of the shard if `path` is named like one of that feature. */
  static std::optional<std::int64_t> shard_number(Feature feature,
                                                  const std::filesystem::path& path);
};

/** The contents of store.json. Its counts define what is committed; data beyond them in other files
 * are ignored. */
struct StoreDescription {
  StoreHeader header;
  std::vector<std::string> sources, class_names, kernels;
  std::int64_t images = 0;      ///< lines of the index
  std::int64_t bad_images = 0;  ///< lines of bad.jsonl
};
nlohmann::json to_json(const StoreDescription& description);
/** Throws Error{Io|Format} naming the file. */
StoreDescription read_description(const StoreLayout& layout);
/** The differences of two headers, each as "key: value there, value here". */
std::vector<std::string> differences(const StoreHeader& there, const StoreHeader& here);

std::string index_line(const StoreRow& row, std::int64_t number, const StoreDescription& store);
std::string bad_line(std::string_view path, std::string_view reason);
/** The committed part of index.jsonl: its rows and its size. read_index() throws Error{Io|Format}
 * naming file and line. */
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

/** The number of array rows in a shard of a feature with `images` images from `first` on. */
std::int64_t shard_array_rows(Feature feature, const std::vector<StoreRow>& rows,
                              std::int64_t first, std::int64_t images);
/** The shape of such an array with n rows: [n, D], or [n, R, D] for registers. */
std::vector<std::int64_t> shard_shape(const StoreHeader& header, Feature feature, std::int64_t n);

/** A file that is appended to from a known length on. Throws Error{Io} naming the path. */
class GrowingFile {
 public:
  /** Creates the file if it is missing, and truncates it to `bytes`. */
  GrowingFile(std::filesystem::path path, std::int64_t bytes);
  void append(std::string_view bytes);  ///< buffered; written once there is a megabyte
  void append(std::span<const std::byte> bytes) {
    append({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  }
  /** Overwrites the bytes at the file's start. */
  void overwrite_start(std::string_view bytes);
  /** Writes the buffer and returns when everything is on disk. */
  void sync();

 private:
  void write_at(std::string_view bytes, std::int64_t offset);
  void flush();

  std::filesystem::path path_;
  UniqueFd file_;
  std::int64_t written_ = 0;
  std::string buffer_;
};

/** An NPY file that is appended to; sync() updates the number of rows in its header. */
class GrowingNpy {
 public:
  GrowingNpy(const StoreLayout& layout, const StoreHeader& header, Feature feature,
             std::int64_t number, std::int64_t rows);
  /** Appends whole rows. Throws Error{Data} if a value exceeds the range of F16. */
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

/** Syncs the folder, so that new file names survive a power failure. */
void sync_folder(const std::filesystem::path& folder);

}  // namespace dino::embed
