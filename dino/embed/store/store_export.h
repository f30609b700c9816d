// Exports a feature store to a single file.
#pragma once
#include <filesystem>
#include <vector>

#include "dino/embed/store/feature_store.h"

namespace dino::embed {

enum class ExportFormat {
  Npy,    ///< one array, in the store's dtype: [n, D] of all named features side by side
  Csv,    ///< path, label, class, one column per number, with column titles
  Jsonl,  ///< an object per image: path, label, class, and each feature as an array
};

/** Writes the named features of all rows to `file`, atomically. Numbers in text parse to the same
 * float. NPY can have CLS and mean joined, or registers alone as [n, R, D], or patches alone as
 * [n, P, D] ([all patches, D] if grids differ); CSV has no registers or patches. Throws
 * Error{Usage} on other combinations or features that the store does not have; Error{Io}. */
void export_store(const FeatureStore& store, ExportFormat format,
                  const std::vector<Feature>& features, const std::filesystem::path& file);

}  // namespace dino::embed
