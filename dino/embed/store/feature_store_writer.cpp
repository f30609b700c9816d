#include "dino/embed/store/feature_store_writer.h"

#include <algorithm>

#include "dino/base/error.h"
#include "dino/base/file.h"
#include "dino/base/json.h"
#include "dino/base/text.h"

namespace dino::embed {
namespace {

namespace fs = std::filesystem;

bool is_shard(const fs::path& path) {
  return std::ranges::any_of(kFeatureWords, [&](const auto& entry) {
    return StoreLayout::shard_number(entry.first, path).has_value();
  });
}

std::vector<fs::path> entries_of(const fs::path& folder) {
  std::vector<fs::path> paths;
  for (const auto& entry : fs::directory_iterator(folder)) paths.push_back(entry.path());
  return paths;
}

/** Removes store.json first, without which the folder is not a store. */
void remove_store(const StoreLayout& layout) {
  fs::remove(layout.description());
  sync_folder(layout.root);
  for (const fs::path& path : entries_of(layout.root))
    if (is_shard(path) || is_temporary_file(path) || path == layout.index() || path == layout.bad())
      fs::remove(path);
}

void check(const StoreHeader& header) {
  if (header.features.empty() || header.dim < 1 || header.patch_size < 1 || header.shard_rows < 1)
    fail(ErrorKind::Usage,
         "[feature store] needs at least one feature, and dim, patch size and shard rows above 0");
  if (!std::ranges::is_sorted(header.features, std::ranges::less_equal{}))
    fail(ErrorKind::Usage, "[feature store] a feature is named twice, or they are out of order");
  if (header.registers < 1 &&
      std::ranges::find(header.features, Feature::Registers) != header.features.end())
    fail(ErrorKind::Usage, "[feature store] this network has no registers to keep");
  if (header.dtype != format::DType::F32 && header.dtype != format::DType::F16)
    fail(ErrorKind::Usage, "[feature store] keeps F32 or F16, not {}",
         format::dtype_name(header.dtype));
}

}  // namespace

FeatureStoreWriter::FeatureStoreWriter(fs::path folder, StoreHeader header,
                                       StoreWriterOptions options) try
    : layout_{std::move(folder)}, options_(std::move(options)) {
  check(header);
  store_.header = std::move(header);
  if (fs::exists(layout_.root) && !fs::is_directory(layout_.root))
    fail(ErrorKind::Usage, "[feature store] {} is a file; name a folder", printable(layout_.root));
  fs::create_directories(layout_.root);
  lock_ = FileLock::try_lock(layout_.lock());
  if (!lock_)
    fail(ErrorKind::Usage, "[feature store] {} is in use: another process writes to it",
         printable(layout_.root));
  if (options_.force) remove_store(layout_);
  if (FeatureStore::is_store(layout_.root))
    open_existing();
  else
    create();
} catch (const fs::filesystem_error& error) {
  fail(ErrorKind::Io, "[feature store] cannot prepare {}: {}", printable(error.path1()),
       error.code().message());
}

void FeatureStoreWriter::create() {
  const bool holds_others = std::ranges::any_of(
      entries_of(layout_.root),
      [&](const fs::path& path) { return path != layout_.lock() && !is_temporary_file(path); });
  if (holds_others && !options_.force)
    fail(ErrorKind::Usage,
         "[feature store] {} holds other files; choose another --out, or add --force to write "
         "beside them",
         printable(layout_.root));
  store_.sources = {printable(std::string_view(options_.source))};
  note_kernel();
  merge_classes();
  write_json_file(layout_.description(), to_json(store_));
  index_ = std::make_unique<GrowingFile>(layout_.index(), 0);
  bad_ = std::make_unique<GrowingFile>(layout_.bad(), 0);
}

void FeatureStoreWriter::open_existing() {
  StoreDescription there = read_description(layout_);
  if (const auto found = differences(there.header, store_.header); !found.empty())
    fail(ErrorKind::Usage,
         "[feature store] {} was made in another way: {}{}; choose another --out, or --force to "
         "replace it",
         printable(layout_.root),
         fmt::join(found.begin(), found.begin() + std::min<std::ptrdiff_t>(3, std::ssize(found)),
                   "; "),
         found.size() > 3 ? fmt::format("; and {} more differences", found.size() - 3) : "");
  const std::string source = printable(std::string_view(options_.source));
  const bool is_known = std::ranges::find(there.sources, source) != there.sources.end();
  if (!is_known && !options_.append)
    fail(ErrorKind::Usage,
         "[feature store] {} holds images of {}; add those of {} with --append, or choose another "
         "--out",
         printable(layout_.root), fmt::join(there.sources, ", "), source);
  { const FeatureStore whole(layout_.root); }  // refuses what is damaged before anything is cut
  store_ = std::move(there);
  if (options_.retry_bad) store_.bad_images = 0;
  if (!is_known) store_.sources.push_back(source);
  IndexPart index = read_index(layout_, store_);
  const BadPart bad = read_bad(layout_, store_.bad_images);
  rows_ = std::move(index.rows);
  for (const StoreRow& row : rows_) ++rows_of_[row.path];
  bad_paths_.insert(bad.paths.begin(), bad.paths.end());
  note_kernel();
  merge_classes();
  write_json_file(layout_.description(), to_json(store_));
  // The store is valid, so uncommitted data may be truncated now.
  index_ = std::make_unique<GrowingFile>(layout_.index(), index.bytes);
  bad_ = std::make_unique<GrowingFile>(layout_.bad(), bad.bytes);
  const std::int64_t shard_rows = store_.header.shard_rows, full = size() / shard_rows;
  const std::int64_t images = size() % shard_rows;
  for (const fs::path& path : entries_of(layout_.root)) {
    if (is_temporary_file(path)) fs::remove(path);
    for (const auto& [feature, word] : kFeatureWords)
      if (const auto number = StoreLayout::shard_number(feature, path);
          number && (*number > full || (*number == full && images == 0)))
        fs::remove(path);
  }
  if (images == 0) return;
  for (const Feature feature : store_.header.features)
    shards_[static_cast<std::size_t>(feature)] =
        std::make_unique<GrowingNpy>(layout_, store_.header, feature, full,
                                     shard_array_rows(feature, rows_, full * shard_rows, images));
}

void FeatureStoreWriter::note_kernel() {
  if (!options_.kernel.empty() &&
      std::ranges::find(store_.kernels, options_.kernel) == store_.kernels.end())
    store_.kernels.push_back(options_.kernel);
}

/** Known classes keep their numbers, new ones follow. */
void FeatureStoreWriter::merge_classes() {
  for (const std::string& name : options_.class_names) {
    const std::string shown = printable(std::string_view(name));
    const auto found = std::ranges::find(store_.class_names, shown);
    label_of_.push_back(found - store_.class_names.begin());
    if (found == store_.class_names.end()) store_.class_names.push_back(shown);
  }
}

GrowingNpy& FeatureStoreWriter::shard(Feature feature) {
  auto& open = shards_[static_cast<std::size_t>(feature)];
  if (size() % store_.header.shard_rows == 0) {
    if (open) open->sync();  // full; store.json counts its rows with the next commit
    open = std::make_unique<GrowingNpy>(layout_, store_.header, feature,
                                        size() / store_.header.shard_rows, 0);
  }
  return *open;
}

void FeatureStoreWriter::add(StoreRow row, const RowFeatures& features) {
  const StoreHeader& header = store_.header;
  const auto values_of = [&](Feature feature) {
    switch (feature) {
      case Feature::Cls:
        return std::pair(features.cls, std::int64_t{1});
      case Feature::Mean:
        return std::pair(features.mean, std::int64_t{1});
      case Feature::Registers:
        return std::pair(features.registers, header.registers);
      case Feature::Patches:
        break;
    }
    return std::pair(features.patches, row.patches());
  };
  for (const Feature feature : header.features)
    if (const auto [values, count] = values_of(feature); std::ssize(values) != count * header.dim)
      fail(ErrorKind::Usage, "[feature store] {} of {} are {} numbers, expected {} x {}",
           name_of(feature), printable(std::string_view(row.path)), values.size(), count,
           header.dim);
  if (row.label >= 0) row.label = label_of_.at(static_cast<std::size_t>(row.label));
  row.patch_row = 0;
  if (size() % header.shard_rows != 0)
    row.patch_row = rows_.back().patch_row + rows_.back().patches();
  for (const Feature feature : header.features) shard(feature).append(values_of(feature).first);
  index_->append(index_line(row, size(), store_));
  ++rows_of_[row.path];
  rows_.push_back(std::move(row));
  step("add");
}

void FeatureStoreWriter::add_bad(std::string_view path, std::string_view reason) {
  if (knows(path)) return;
  bad_paths_.emplace(path);
  bad_->append(bad_line(path, reason));
  ++store_.bad_images;
}

void FeatureStoreWriter::commit() {
  for (const auto& open : shards_)
    if (open) open->sync();
  sync_folder(layout_.root);
  step("shards");
  index_->sync();
  step("index");
  bad_->sync();
  step("bad");
  store_.images = size();
  write_json_file(layout_.description(), to_json(store_));
  step("committed");
}

}  // namespace dino::embed
