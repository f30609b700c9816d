// The kinds of source behind open_dataset(); private to dino/data.
#pragma once
#include <filesystem>
#include <memory>
#include <string>

#include "dino/data/dataset.h"

namespace dino::data {

/** Images found in and below `folder`. */
std::unique_ptr<Dataset> open_folder(const std::filesystem::path& folder, int channels);

/** Images named line by line in a text file. */
std::unique_ptr<Dataset> open_list(const std::filesystem::path& list, int channels);

/** An IDX image file, with labels from `labels` or, if empty, from the file beside it that is named
 * alike. */
std::unique_ptr<Dataset> open_idx(const std::filesystem::path& images, int channels,
                                  const std::filesystem::path& labels);

/** True for the file names a folder or list may contribute, in any case: .jpg .jpeg .png .webp .tif
 * .tiff .gif .bmp .pbm .pgm .ppm .pnm. */
bool has_image_extension(const std::filesystem::path& path);

}  // namespace dino::data
