#include "dino/embed/store/feature_store.h"

#include <algorithm>
#include <cstring>

#include "dino/arch/architecture.h"
#include "dino/base/error.h"
#include "dino/base/half.h"
#include "dino/base/text.h"
#include "dino/data/prepare/preprocess.h"
#include "dino/embed/store/store_files.h"
#include "dino/format/npy.h"

namespace dino::embed {

bool FeatureStore::is_store(const std::filesystem::path& folder) {
  return std::filesystem::exists(StoreLayout{folder}.description());
}

FeatureStore::FeatureStore(const std::filesystem::path& folder) {
  const StoreLayout layout{folder};
  if (!is_store(folder))
    fail(ErrorKind::Io, "[feature store] {} holds no store: there is no store.json",
         printable(folder));
  StoreDescription description = read_description(layout);
  rows_ = read_index(layout, description).rows;
  header_ = std::move(description.header);
  class_names_ = std::move(description.class_names);
  sources_ = std::move(description.sources);
  kernels_ = std::move(description.kernels);
  bad_count_ = description.bad_images;
  for (std::size_t i = 0; i < rows_.size(); ++i)
    by_path_.emplace(rows_[i].path, static_cast<std::int64_t>(i));
  for (const Feature feature : header_.features) map_shards(folder, feature);
}

void FeatureStore::map_shards(const std::filesystem::path& folder, Feature feature) {
  auto& shards = shards_[static_cast<std::size_t>(feature)];
  for (std::int64_t first = 0; first < size(); first += header_.shard_rows) {
    const auto path = StoreLayout{folder}.shard(feature, static_cast<std::int64_t>(shards.size()));
    Shard shard{.file = map_file(path), .rows = {}};
    const format::NpyHeader npy = format::parse_npy_header(shard.file.bytes, path.native());
    const std::int64_t rows =
        shard_array_rows(feature, rows_, first, std::min(header_.shard_rows, size() - first));
    auto shape = shard_shape(header_, feature, rows);
    const auto bytes = static_cast<std::size_t>(format::byte_count(header_.dtype, shape));
    const std::size_t there = shard.file.bytes.size() - npy.data_offset;
    auto found = npy.shape;
    if (!found.empty() && found[0] > rows) found[0] = rows;  // a writer is at work
    if (npy.dtype != header_.dtype || npy.big_endian || found != shape)
      fail(ErrorKind::Format, "[feature store] {} holds {} [{}], expected {} [{}]", printable(path),
           format::dtype_name(npy.dtype), fmt::join(npy.shape, ", "),
           format::dtype_name(header_.dtype), fmt::join(shape, ", "));
    if (there < bytes)
      fail(ErrorKind::Format, "[feature store] {} is cut short: {} bytes of data, expected {}",
           printable(path), there, bytes);
    shard.rows = shard.file.bytes.subspan(npy.data_offset, bytes);
    shards.push_back(std::move(shard));
  }
}

std::int64_t FeatureStore::bytes() const {
  std::int64_t sum = 0;
  for (const auto& shards : shards_)
    for (const Shard& shard : shards) sum += static_cast<std::int64_t>(shard.rows.size());
  return sum;
}

bool FeatureStore::has(Feature feature) const {
  return std::ranges::find(header_.features, feature) != header_.features.end();
}

std::optional<std::int64_t> FeatureStore::find(std::string_view path) const {
  const auto found = by_path_.find(path);
  return found == by_path_.end() ? std::nullopt : std::optional(found->second);
}

void FeatureStore::check_row(Feature feature, std::int64_t row) const {
  if (!has(feature))
    fail(ErrorKind::Usage, "[feature store] there are no {} in this store", name_of(feature));
  if (row < 0 || row >= size())
    fail(ErrorKind::Usage, "[feature store] there is no row {}: the store has {}", row, size());
}

std::int64_t FeatureStore::vectors(Feature feature, std::int64_t row) const {
  check_row(feature, row);
  if (feature == Feature::Registers) return header_.registers;
  return feature == Feature::Patches ? rows_[static_cast<std::size_t>(row)].patches() : 1;
}

std::span<const std::byte> FeatureStore::raw(Feature feature, std::int64_t row) const {
  const std::int64_t count = vectors(feature, row);
  const auto vector_bytes =
      static_cast<std::size_t>(header_.dim) * format::item_bytes(header_.dtype);
  const std::int64_t first = feature == Feature::Patches
                                 ? rows_[static_cast<std::size_t>(row)].patch_row
                                 : row % header_.shard_rows * count;
  const Shard& shard = shards_[static_cast<std::size_t>(feature)].at(
      static_cast<std::size_t>(row / header_.shard_rows));
  return shard.rows.subspan(static_cast<std::size_t>(first) * vector_bytes,
                            static_cast<std::size_t>(count) * vector_bytes);
}

void FeatureStore::read(Feature feature, std::int64_t row, std::span<float> out) const {
  const auto stored = raw(feature, row);
  const std::size_t item = format::item_bytes(header_.dtype);
  if (out.size() * item != stored.size())
    fail(ErrorKind::Usage, "[feature store] {} of row {} are {} numbers, not {}", name_of(feature),
         row, stored.size() / item, out.size());
  if (header_.dtype == format::DType::F32) {
    std::memcpy(out.data(), stored.data(), stored.size());
    return;
  }
  for (std::size_t i = 0; i < out.size(); ++i) {
    std::uint16_t half = 0;
    std::memcpy(&half, stored.data() + 2 * i, 2);
    out[i] = half_to_float(half);
  }
}

std::vector<float> FeatureStore::values(Feature feature, std::int64_t row) const {
  std::vector<float> out(static_cast<std::size_t>(vectors(feature, row) * header_.dim));
  read(feature, row, out);
  return out;
}

data::Placement FeatureStore::placement(std::int64_t row) const {
  const StoreRow& image = rows_.at(static_cast<std::size_t>(row));
  const auto network = arch::network_from_json(header_.network, "feature store");
  return data::place(image.width, image.height, network.preprocess, header_.patch_size);
}

}  // namespace dino::embed
