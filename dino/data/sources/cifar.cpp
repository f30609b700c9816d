// CIFAR-10 and CIFAR-100 in their binary version: records of one or two label bytes and 3 x 32 x 32
// planar pixels (Krizhevsky 2009).
#include <algorithm>
#include <fstream>
#include <string>

#include "dino/base/error.h"
#include "dino/base/text.h"
#include "dino/data/sources/array_dataset.h"
#include "dino/data/sources/sources.h"

namespace dino::data {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kPixels = 3 * 32 * 32;

/** Label bytes per record, 1 for CIFAR-10 and 2 for CIFAR-100; the last is the class. */
std::uint64_t label_bytes(const RandomAccessFile& file) {
  const bool ten = file.size() > 0 && file.size() % (kPixels + 1) == 0;
  const bool hundred = file.size() > 0 && file.size() % (kPixels + 2) == 0;
  if (!ten && !hundred)
    fail(ErrorKind::Data,
         "[open data set] '{}' of {} bytes is no binary file of CIFAR: records have {} or {} bytes",
         printable(file.path()), file.size(), kPixels + 1, kPixels + 2);
  return ten ? 1 : 2;
}

std::vector<std::string> class_names(const fs::path& folder, std::uint64_t bytes) {
  std::ifstream file(folder / (bytes == 1 ? "batches.meta.txt" : "fine_label_names.txt"));
  std::vector<std::string> names;
  for (std::string line; std::getline(file, line);)
    if (!line.empty()) names.push_back(printable(std::string_view(line)));
  return names;
}

}  // namespace

std::vector<fs::path> cifar_batches(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code ignored;
  for (int i = 1; i < 100; ++i) {
    const fs::path file = folder / fmt::format("data_batch_{}.bin", i);
    if (!fs::is_regular_file(file, ignored)) break;
    files.push_back(file);
  }
  return files;
}

std::unique_ptr<Dataset> open_cifar(const std::vector<fs::path>& files,
                                    const FileDecoding& decoding) {
  std::vector<ArrayFile> arrays;
  std::vector<std::int64_t> labels;
  std::uint64_t bytes = 0;
  for (const fs::path& path : files) {
    auto file = std::make_unique<RandomAccessFile>(path);
    bytes = label_bytes(*file);
    const std::uint64_t stride = kPixels + bytes, count = file->size() / stride;
    for (std::uint64_t i = 0; i < count; ++i) {
      std::byte label{};
      file->read_at(i * stride + bytes - 1, std::span(&label, 1));
      labels.push_back(std::to_integer<std::int64_t>(label));
    }
    arrays.push_back({std::move(file),
                      path.native(),
                      {.count = static_cast<std::int64_t>(count),
                       .height = 32,
                       .width = 32,
                       .channels = 3,
                       .planar = true,
                       .offset = bytes,
                       .stride = stride}});
  }
  std::vector<std::string> names = class_names(files.front().parent_path(), bytes);
  const std::int64_t most = *std::max_element(labels.begin(), labels.end());
  if (most >= (bytes == 1 ? 10 : 100))
    fail(ErrorKind::Data, "[open data set] '{}': class {} is none of CIFAR's; is it damaged?",
         printable(files.front()), most);
  if (static_cast<std::int64_t>(names.size()) <= most)
    names = numbered_classes(labels, files.front().native());
  return make_array_dataset(std::move(arrays), std::move(labels), std::move(names), decoding);
}

}  // namespace dino::data
