// The functions behind open_dataset(), one for each kind of source; private to dino/data.
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

/** Opens the images in and below `folder`; caches the index in `cache` unless that is empty. */
std::unique_ptr<Dataset> open_folder(const std::filesystem::path& folder,
                                     const FileDecoding& decoding,
                                     const std::filesystem::path& cache);

/** Opens one image file. */
std::unique_ptr<Dataset> open_image(const std::filesystem::path& file,
                                    const FileDecoding& decoding);

/** Opens the images listed in a text, CSV or JSONL file. */
std::unique_ptr<Dataset> open_list(const std::filesystem::path& list, const FileDecoding& decoding);

/** A data set of image files; the table's names are paths, relative to `root` or absolute. */
std::unique_ptr<Dataset> make_file_dataset(ItemTable items, const std::filesystem::path& root,
                                           const FileDecoding& decoding);

/** Opens tar shards. */
std::unique_ptr<Dataset> open_tar(const std::vector<std::string>& shards,
                                  const SourceOptions& options);
/** Opens a zip archive. */
std::unique_ptr<Dataset> open_zip(const std::filesystem::path& archive,
                                  const SourceOptions& options);

/** Opens an IDX image file with labels from `labels` or, if that is empty, from the matching
 * sibling file. */
std::unique_ptr<Dataset> open_idx(const std::filesystem::path& images, const FileDecoding& decoding,
                                  const std::filesystem::path& labels);

/** Open NumPy files: NPY with labels from the file `labels` (if empty, from X_labels.npy beside
 * X.npy, if it exists), or NPZ with both. */
std::unique_ptr<Dataset> open_npy(const std::filesystem::path& images, const FileDecoding& decoding,
                                  const std::filesystem::path& labels);
std::unique_ptr<Dataset> open_npz(const std::filesystem::path& archive,
                                  const FileDecoding& decoding);

/** Opens CIFAR's binary files. The record size tells CIFAR-10 from CIFAR-100. */
std::unique_ptr<Dataset> open_cifar(const std::vector<std::filesystem::path>& files,
                                    const FileDecoding& decoding);
/** The files data_batch_*.bin of a folder, sorted. */
std::vector<std::filesystem::path> cifar_batches(const std::filesystem::path& folder);

/** The extension in lower case: ".png" for "a/B.PNG". */
std::string lower_extension(const std::filesystem::path& path);

/** The first bytes of a file, which identify its format; empty if it cannot be read. */
std::vector<std::byte> first_bytes(const std::filesystem::path& path);

/** Whether the name ends in .tif or .tiff, ignoring case. Only such files are opened to count
 * pages. */
bool has_tiff_extension(const std::filesystem::path& path);

/** The number of pages of a TIFF file; 1 for other files and unreadable ones, whose error occurs
 * when they are loaded. */
int count_pages(const std::filesystem::path& path);
int count_pages(const image::TiffSource& file);

/** The first folder of a relative path: "b" for "b/c.png"; empty if there is none. */
std::string_view first_level(std::string_view path);

}  // namespace dino::data
