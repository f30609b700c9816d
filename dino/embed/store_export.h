// Feature stores in one file, for programs that want that.
#pragma once
#include <filesystem>
#include <vector>

#include "dino/embed/feature_store.h"

namespace dino::embed {

enum class ExportFormat {
  Npy,    ///< one array, in the store's dtype: [n, D] of all named features side by side
  Csv,    ///< path, label, class, one column per number; with a heading
  Jsonl,  ///< an object per image: path, label, class, and each feature as an array
};

/** Writes the named features of all rows to `file`, atomically. Numbers in text read back to the
 * same float. CLS and mean can be joined; registers and patches stand alone in NPY, as [n, R, D]
 * and [n, P, D] (patches of different grids: [all patches, D]), and do not go into CSV. Throws
 * Error{Usage} on combinations that have no such file, or features that the store has not;
 * Error{Io}. */
void export_store(const FeatureStore& store, ExportFormat format,
                  const std::vector<Feature>& features, const std::filesystem::path& file);

}  // namespace dino::embed
