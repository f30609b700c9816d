// Features of many images on disk: NPY shards that any program maps into memory, an index that says
// what each row is, and a description of how they were made (docs/formats.md). Knows nothing of
// Torch. feature_store_writer.h makes stores.
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

/** What can be kept of an image; all after the final norm. */
enum class Feature {
  Cls,        ///< [D]
  Mean,       ///< [D] mean of the patches
  Registers,  ///< [R, D]
  Patches,    ///< [gh * gw, D], row by row of the grid
};
inline constexpr std::array<std::pair<Feature, std::string_view>, 4> kFeatureWords = {
    {{Feature::Cls, "cls"},
     {Feature::Mean, "mean"},
     {Feature::Registers, "registers"},
     {Feature::Patches, "patches"}}};
std::string_view name_of(Feature feature);

/** What all rows of a store have in common. Rows that differ in any of it never mix. */
struct StoreHeader {
  std::string network;             ///< JSON of arch::to_json, with the preprocessing as used
  std::string weights_hash;        ///< of the values, whatever file they came in
  std::string precision = "fp32";  ///< that was computed in, whatever was asked for
  std::vector<Feature> features = {Feature::Cls};  ///< in the order of kFeatureWords
  format::DType dtype = format::DType::F32;        ///< F32 or F16
  std::int64_t dim = 0;                            ///< D
  std::int64_t registers = 0;                      ///< R
  int patch_size = 1;                              ///< px between neighbors of the grid
  std::int64_t shard_rows = 65536;                 ///< images per shard
};

/** One image. */
struct StoreRow {
  std::string path;                     ///< as the data set calls it, byte for byte
  std::int64_t label = -1;              ///< of FeatureStore::class_names(), -1 without
  int width = 0, height = 0;            ///< px, of the image itself
  int grid_height = 0, grid_width = 0;  ///< patches
  std::int64_t patch_row = 0;           ///< its first row in its shard of patches
  std::int64_t patches() const { return std::int64_t{grid_height} * grid_width; }
};

/** A store that is open for reading. What was committed when it was opened is what it shows, also
 * while a writer goes on. Thread-safe. */
class FeatureStore {
 public:
  /** Whether `folder` holds a store, readable or not. */
  static bool is_store(const std::filesystem::path& folder);

  /** Maps all shards. Throws Error{Io} if a file is missing or cannot be read, Error{Format} naming
   * the file if it contradicts the others or is cut short. */
  explicit FeatureStore(const std::filesystem::path& folder);
  FeatureStore(FeatureStore&&) = default;
  FeatureStore& operator=(FeatureStore&&) = default;

  const StoreHeader& header() const { return header_; }
  const std::vector<std::string>& class_names() const { return class_names_; }
  const std::vector<std::string>& sources() const { return sources_; }  ///< what --images named
  /** What computed the rows: "dino avx512", "torch AVX2"; several if that changed. Empty in stores
   * of earlier versions. */
  const std::vector<std::string>& kernels() const { return kernels_; }
  const std::vector<StoreRow>& rows() const { return rows_; }
  std::int64_t size() const { return static_cast<std::int64_t>(rows_.size()); }
  std::int64_t bad_count() const { return bad_count_; }  ///< images that could not be read
  std::int64_t bytes() const;                            ///< of all shards

  bool has(Feature feature) const;
  /** The first row of that path, if there is one. */
  std::optional<std::int64_t> find(std::string_view path) const;
  /** Vectors of D numbers that a row has of a feature. */
  std::int64_t vectors(Feature feature, std::int64_t row) const;
  /** A row's feature as stored, [vectors, D] in header().dtype; lives as long as the store. Throws
   * Error{Usage} if the store has no such feature or row. */
  std::span<const std::byte> raw(Feature feature, std::int64_t row) const;
  /** The same as floats. `out` must hold vectors * D of them. */
  void read(Feature feature, std::int64_t row, std::span<float> out) const;
  std::vector<float> values(Feature feature, std::int64_t row) const;
  /** Where the image of a row lay in the network's input: takes a feature map back to it. */
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
  std::unordered_map<std::string_view, std::int64_t> by_path_;  // views into rows_
  std::int64_t bad_count_ = 0;
  std::array<std::vector<Shard>, kFeatureWords.size()> shards_;
};

}  // namespace dino::embed
