#include "cli/show_images.h"

#include "dino/base/error.h"

namespace dino::cli {

std::vector<std::int64_t> chosen(const ShowFlags& flags, const data::Dataset& dataset) {
  if (flags.index.empty()) return data::sample_indices(dataset, flags.count);
  for (const auto index : flags.index)
    if (index < 0 || index >= dataset.size())
      fail(ErrorKind::Usage, "--index {} is not in the data set, which has {} images", index,
           dataset.size());
  return flags.index;
}

std::unique_ptr<data::Dataset> open_images(const std::string& source,
                                           const data::SourceOptions& options) {
  if (source.empty())
    fail(ErrorKind::Usage, "--images is missing: name a folder, a list file or an IDX file");
  return data::open_dataset(source, options);
}

}  // namespace dino::cli
