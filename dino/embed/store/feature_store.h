// Reads feature stores: features of many images on disk, in NPY shards that any program can map
// into memory, with an index of the rows and a description of how they were made (docs/formats.md).
// Independent of Torch. feature_store_writer.h writes stores.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "dino/base/mapped_file.h"
#include "dino/data/prepare/placement.h"
#include "dino/format/tensor_record.h"

namespace dino::embed {

/** The features that can be stored for an image; all are after the final norm. */
enum class Feature {
  Cls,        ///< [D]
  Mean,       ///< [D] mean of the patches
  Registers,  ///< [R, D]
  Patches,    ///< [gh * gw, D], row-major over the grid
};
inline constexpr std::array<std::pair<Feature, std::string_view>, 4> kFeatureWords = {
    {{Feature::Cls, "cls"},
     {Feature::Mean, "mean"},
     {Feature::Registers, "registers"},
     {Feature::Patches, "patches"}}};
std::string_view name_of(Feature feature);
/** Those that `words` name, in the order of kFeatureWords, without duplicates. */
std::vector<Feature> features_named(std::span<const std::string> words);

/** The properties that all rows of a store share; rows that differ in any of them cannot be added.
 */
struct StoreHeader {
  std::string network;             ///< JSON of arch::to_json(), with the preprocessing used
  std::string weights_hash;        ///< see weights_hash() in embed_images.h
  std::string precision = "fp32";  ///< precision of computation, not the requested one
  std::vector<Feature> features = {Feature::Cls};  ///< in the order of kFeatureWords
  format::DType dtype = format::DType::F32;        ///< F32 or F16
  std::int64_t dim = 0;                            ///< D
  std::int64_t registers = 0;                      ///< R
  int patch_size = 1;                              ///< px between neighboring cells of the grid
  std::int64_t shard_rows = 65536;                 ///< images per shard
};

/** The index entry of one image. */
struct StoreRow {
  std::string path;                     ///< name of the image in the data set, byte for byte
  std::int64_t label = -1;              ///< index into FeatureStore::class_names(), or -1
  int width = 0, height = 0;            ///< px of the original image
  int grid_height = 0, grid_width = 0;  ///< patches
  std::int64_t patch_row = 0;           ///< its first row in its shard of patch features
  std::int64_t patches() const { return std::int64_t{grid_height} * grid_width; }
};

/** A store opened for reading. It has the rows that were committed when it was opened, even if a
 * writer adds more. Immutable, so thread-safe. */
class FeatureStore {
 public:
  /** Whether `folder` contains a store, even a damaged one. */
  static bool is_store(const std::filesystem::path& folder);

  /** Maps all shards. Throws Error{Io} if a file is missing or unreadable, Error{Format} naming the
   * file if it is truncated or contradicts the others. */
  explicit FeatureStore(const std::filesystem::path& folder);
  FeatureStore(FeatureStore&&) = default;
  FeatureStore& operator=(FeatureStore&&) = default;

  const StoreHeader& header() const { return header_; }
  const std::vector<std::string>& class_names() const { return class_names_; }
  /// The sources, as given to --images
  const std::vector<std::string>& sources() const { return sources_; }
  /** The kernels that computed the rows: "dino avx512", "torch AVX2"; several if they changed.
   * Empty in stores of earlier versions. */
  const std::vector<std::string>& kernels() const { return kernels_; }
  const std::vector<StoreRow>& rows() const { return rows_; }
  std::int64_t size() const { return static_cast<std::int64_t>(rows_.size()); }
  std::int64_t bad_count() const { return bad_count_; }  ///< images that could not be read
  std::int64_t bytes() const;                            ///< total size of all shards

  bool has(Feature feature) const;
  /** The first row of that path, or nothing. */
  std::optional<std::int64_t> find(std::string_view path) const;
  /** The number of vectors [D] that a row has for a feature. */
  std::int64_t vectors(Feature feature, std::int64_t row) const;
  /** A row's feature as stored, [vectors, D] in header().dtype; valid during the store's lifetime.
   * Throws Error{Usage} if the store has no such feature or row. */
  std::span<const std::byte> raw(Feature feature, std::int64_t row) const;
  /** Converts a row's feature to fp32; `out` must have size vectors * D. */
  void read(Feature feature, std::int64_t row, std::span<float> out) const;
  std::vector<float> values(Feature feature, std::int64_t row) const;
  /** The placement of a row's image in the network's input, which maps features back to the image.
   */
  data::Placement placement(std::int64_t row) const;

 private:
  struct Shard {
    MappedFile file;
    std::span<const std::byte> rows;
  };
  void map_shards(const std::filesystem::path& folder, Feature feature);
  void check_row(Feature feature, std::int64_t row) const;

  StoreHeader header_;
  std::vector<std::string> class_names_, sources_, kernels_;
  std::vector<StoreRow> rows_;
  std::unordered_map<std::string_view, std::int64_t> by_path_;  // keys are views of rows_
  std::int64_t bad_count_ = 0;
  std::array<std::vector<Shard>, kFeatureWords.size()> shards_;
};

}  // namespace dino::embed
