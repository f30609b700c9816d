// Writes a feature store that stays valid if the process is killed at any time. A commit syncs the
// rows, then the index, then store.json, whose counts define what is committed. Readers see only
// committed rows, and the next writer truncates the rest.
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
#include "dino/embed/store/feature_store.h"
#include "dino/embed/store/store_files.h"

namespace dino::embed {

struct StoreWriterOptions {
  std::string source;                         ///< where the images come from; recorded
  std::string kernel = {};                    ///< kernels that compute the features; recorded
  std::vector<std::string> class_names = {};  ///< names of the labels given to add()
  bool append = false;                        ///< allow images of another source than the store's
  bool retry_bad = false;                     ///< forget the list of unreadable images
  bool force = false;                         ///< replace an existing store
  /** Called at each step, for tests: "add", "shards", "index", "bad", "committed". */
  std::function<void(std::string_view step)> on_step = {};
};

/** An image's features in fp32, shaped as in Feature; those that the store does not keep are
 * ignored. */
struct RowFeatures {
  std::span<const float> cls, mean, registers, patches;
};

/** Adds rows to a store, which it locks against other writers. Thread-compatible. */
class FeatureStoreWriter {
 public:
  /** Creates a store in `folder`, or continues an existing one. Throws Error{Usage} if the folder
   * is in use or has other files, or if the store was made differently (naming each difference)
   * or, without `append`, from another source; Error{Io|Format} as FeatureStore if it is damaged.
   */
  FeatureStoreWriter(std::filesystem::path folder, StoreHeader header, StoreWriterOptions options);

  const StoreHeader& header() const { return store_.header; }
  std::int64_t size() const { return static_cast<std::int64_t>(rows_.size()); }
  std::int64_t bad_count() const { return store_.bad_images; }
  /** Whether the path has a row or is known to be bad. */
  bool knows(std::string_view path) const { return rows_of(path) > 0 || is_bad(path); }
  /** The number of rows of that path; a list may name an image several times with different labels.
   */
  std::int64_t rows_of(std::string_view path) const {
    const auto found = rows_of_.find(std::string(path));
    return found == rows_of_.end() ? 0 : found->second;
  }
  /** Whether the image at that path could not be read. */
  bool is_bad(std::string_view path) const { return bad_paths_.contains(std::string(path)); }

  /** Appends an image. row.label is an index into options.class_names; row.patch_row is ignored.
   * Throws Error{Usage} if sizes do not match the header. */
  void add(StoreRow row, const RowFeatures& features);
  void add_bad(std::string_view path, std::string_view reason);
  /** Returns when everything added is on disk and counted. Rows added after the last commit are
   * lost. */
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
  std::vector<std::int64_t> label_of_;  // label in the store for each of options_.class_names
  std::array<std::unique_ptr<GrowingNpy>, kFeatureWords.size()> shards_;  // shards being filled
  std::unique_ptr<GrowingFile> index_, bad_;
};

}  // namespace dino::embed
