// Writes a feature store so that it can be killed at any instant: rows first, then the index, then
// store.json, which counts what is there; each reaches the disk before the next begins. Whoever
// opens the store sees what was committed, and the next writer cuts the rest off.
#pragma once
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "dino/base/file_lock.h"
#include "dino/embed/feature_store.h"
#include "dino/embed/store_files.h"

namespace dino::embed {

struct StoreWriterOptions {
  std::string source;                         ///< where the images come from, for the record
  std::string kernel = {};                    ///< what computes the features, for the record
  std::vector<std::string> class_names = {};  ///< what labels of add() mean
  bool append = false;     ///< images of another source than the store's may be added
  bool retry_bad = false;  ///< forget which images could not be read
  bool force = false;      ///< replace a store that is there
  /** Tests stop a writer at each of its steps: "add", "shards", "index", "bad", "committed". */
  std::function<void(std::string_view step)> on_step = {};
};

/** An image's features in fp32; those the store does not keep are not read. */
struct RowFeatures {
  std::span<const float> cls, mean, registers, patches;
};

/** Thread-compatible. */
class FeatureStoreWriter {
 public:
  /** A new store in `folder`, made if missing, or the one that is there, to go on with. Throws
   * Error{Usage} if it is in use, holds other files, or was made in another way (naming each
   * difference) or from another source (without `append`); Error{Io|Format} as FeatureStore if it
   * is damaged. */
  FeatureStoreWriter(std::filesystem::path folder, StoreHeader header, StoreWriterOptions options);

  const StoreHeader& header() const { return store_.header; }
  std::int64_t size() const { return static_cast<std::int64_t>(rows_.size()); }
  std::int64_t bad_count() const { return store_.bad_images; }
  /** Whether the path has a row already, or could not be read. */
  bool knows(std::string_view path) const { return rows_of(path) > 0 || is_bad(path); }
  /** Rows of that path: a list may name an image twice, with a label each. */
  std::int64_t rows_of(std::string_view path) const {
    const auto found = rows_of_.find(std::string(path));
    return found == rows_of_.end() ? 0 : found->second;
  }
  /** Whether it could not be read. */
  bool is_bad(std::string_view path) const { return bad_paths_.contains(std::string(path)); }

  /** Appends an image: `row` with a label of options.class_names; patch_row is set here. Throws
   * Error{Usage} if the sizes do not fit the header. */
  void add(StoreRow row, const RowFeatures& features);
  void add_bad(std::string_view path, std::string_view reason);
  /** Returns when everything added is on the disk and counted. Without it, it is lost. */
  void commit();

 private:
  void open_existing();
  void create();
  void merge_classes();
  void note_kernel();
  GrowingNpy& shard(Feature feature);
  void step(std::string_view name) const {
    if (options_.on_step) options_.on_step(name);
  }

  StoreLayout layout_;
  StoreWriterOptions options_;
  StoreDescription store_;
  std::optional<FileLock> lock_;
  std::vector<StoreRow> rows_;
  std::unordered_map<std::string, std::int64_t> rows_of_;
  std::unordered_set<std::string> bad_paths_;
  std::vector<std::int64_t> label_of_;  // the store's label of each of options_.class_names
  std::array<std::unique_ptr<GrowingNpy>, kFeatureWords.size()> shards_;  // that are being filled
  std::unique_ptr<GrowingFile> index_, bad_;
};

}  // namespace dino::embed
