// Which kind of source a path is, and subsets.
#include "dino/data/dataset.h"

#include <fstream>
#include <utility>

#include "dino/base/error.h"
#include "dino/base/text.h"
#include "dino/data/dataset_sources.h"

namespace dino::data {
namespace {

namespace fs = std::filesystem;

class Subset : public Dataset {
 public:
  Subset(const Dataset& base, std::vector<std::int64_t> indices)
      : base_(base), indices_(std::move(indices)) {
    for (const std::int64_t index : indices_) DINO_ASSERT(index >= 0 && index < base.size());
  }

  std::int64_t size() const override { return static_cast<std::int64_t>(indices_.size()); }
  image::Image load(std::int64_t index) const override { return base_.load(at(index)); }
  image::Planes load_wide(std::int64_t index) const override { return base_.load_wide(at(index)); }
  std::optional<std::vector<std::byte>> encoded(std::int64_t index) const override {
    return base_.encoded(at(index));
  }
  std::string name(std::int64_t index) const override { return base_.name(at(index)); }
  std::int64_t label(std::int64_t index) const override { return base_.label(at(index)); }
  const std::vector<std::string>& class_names() const override { return base_.class_names(); }

 private:
  std::int64_t at(std::int64_t index) const { return indices_.at(static_cast<std::size_t>(index)); }

  const Dataset& base_;
  std::vector<std::int64_t> indices_;
};

/** IDX begins with two zero bytes, gzip with 1f 8b. */
bool looks_like_idx(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  char bytes[2] = {};
  file.read(bytes, 2);
  return file && ((bytes[0] == 0 && bytes[1] == 0) || (bytes[0] == '\x1f' && bytes[1] == '\x8b'));
}

bool is_list(const fs::path& path) {
  return path.extension() == ".txt" || path.extension() == ".csv";
}

}  // namespace

std::unique_ptr<Dataset> open_dataset(const std::string& source, int channels,
                                      const std::string& labels) {
  if (source.empty())
    fail(ErrorKind::Data,
         "[open data set] no source is given; set data.train to a folder of images, a .txt or .csv "
         "list or "
         "an IDX file (--set data.train=PATH)");
  if (channels < 0)
    fail(ErrorKind::Usage,
         "[open data set] cannot decode into {} channels; use 1, 3 or as many as the files have",
         channels);
  const fs::path path(source);
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (!fs::exists(status))
    fail(ErrorKind::Io, "[open data set] '{}': {}; check the path", source,
         status.type() == fs::file_type::not_found ? "no such file or folder" : error.message());

  const bool folder = fs::is_directory(status), list = !folder && is_list(path);
  if ((folder || list) && !labels.empty())
    fail(ErrorKind::Data,
         "[open data set] labels '{}' belong to an IDX file, but '{}' is a {}, which names its own "
         "classes; leave the labels out",
         labels, source, folder ? "folder" : "list");
  if (folder) return open_folder(path, channels);
  if (list) return open_list(path, channels);
  if (looks_like_idx(path)) return open_idx(path, channels == 0 ? 1 : channels, labels);
  fail(ErrorKind::Data,
       "[open data set] '{}' is neither a folder of images, nor a .txt or .csv list, nor an IDX "
       "file",
       source);
}

std::unique_ptr<Dataset> subset(const Dataset& base, std::vector<std::int64_t> indices) {
  return std::make_unique<Subset>(base, std::move(indices));
}

}  // namespace dino::data
