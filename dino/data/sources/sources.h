// The kinds of source behind open_dataset(); private to dino/data.
#pragma once
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "dino/data/sources/bad_image.h"
#include "dino/data/sources/dataset.h"
#include "dino/data/sources/item_table.h"
#include "dino/image/codecs/tiff_pages.h"

namespace dino::data {

/** Images found in and below `folder`, whose index may be kept in `cache`. */
std::unique_ptr<Dataset> open_folder(const std::filesystem::path& folder,
                                     const FileDecoding& decoding,
                                     const std::filesystem::path& cache);

/** One image file. */
std::unique_ptr<Dataset> open_image(const std::filesystem::path& file,
                                    const FileDecoding& decoding);

/** Images named line by line in a text, CSV or JSONL file. */
std::unique_ptr<Dataset> open_list(const std::filesystem::path& list, const FileDecoding& decoding);

/** Image files whose paths, relative to `root` or absolute, are the table's names. */
std::unique_ptr<Dataset> make_file_dataset(ItemTable items, const std::filesystem::path& root,
                                           const FileDecoding& decoding);

/** Tar shards. */
std::unique_ptr<Dataset> open_tar(const std::vector<std::string>& shards,
                                  const SourceOptions& options);
/** One zip archive. */
std::unique_ptr<Dataset> open_zip(const std::filesystem::path& archive,
                                  const SourceOptions& options);

/** An IDX image file, with labels from `labels` or, if empty, from the file beside it that is named
 * alike. */
std::unique_ptr<Dataset> open_idx(const std::filesystem::path& images, const FileDecoding& decoding,
                                  const std::filesystem::path& labels);

/** Images in a NumPy file: NPY with labels from the file `labels` (empty: X_labels.npy beside
 * X.npy, if it is there), or NPZ with both. */
std::unique_ptr<Dataset> open_npy(const std::filesystem::path& images, const FileDecoding& decoding,
                                  const std::filesystem::path& labels);
std::unique_ptr<Dataset> open_npz(const std::filesystem::path& archive,
                                  const FileDecoding& decoding);

/** CIFAR's binary files: the 10 or 100 classes are told from the size of a record. */
std::unique_ptr<Dataset> open_cifar(const std::vector<std::filesystem::path>& files,
                                    const FileDecoding& decoding);
/** data_batch_*.bin of a folder, in order; empty if there are none. */
std::vector<std::filesystem::path> cifar_batches(const std::filesystem::path& folder);

/** ".png" of "a/B.PNG". */
std::string lower_extension(const std::filesystem::path& path);

/** What tells the kind of a file; empty if it cannot be read. */
std::vector<std::byte> first_bytes(const std::filesystem::path& path);

/** .tif or .tiff, in any case: only such files are opened to count their pages. */
bool has_tiff_extension(const std::filesystem::path& path);

/** Pages of a TIFF file; 1 of all others and of what cannot be read, which loading it will tell. */
int count_pages(const std::filesystem::path& path);
int count_pages(const image::TiffSource& file);

/** The first folder of "b/c.png", or empty for an image that lies in none. */
std::string_view first_level(std::string_view path);

}  // namespace dino::data
