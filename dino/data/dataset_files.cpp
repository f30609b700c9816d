// Data sets whose images are files: folders and lists.
#include <algorithm>
#include <charconv>
#include <map>
#include <set>
#include <string_view>
#include <utility>

#include "dino/base/error.h"
#include "dino/base/file.h"
#include "dino/base/text.h"
#include "dino/data/dataset_sources.h"
#include "dino/image/decode.h"

namespace dino::data {
namespace {

namespace fs = std::filesystem;

class FileDataset : public Dataset {
 public:
  /** `labels` is empty or as long as `paths`; each is an index into class_names. */
  FileDataset(std::vector<fs::path> paths, std::vector<std::int64_t> labels,
              std::vector<std::string> class_names, int channels)
      : paths_(std::move(paths)),
        labels_(std::move(labels)),
        class_names_(std::move(class_names)),
        channels_(channels) {}

  std::int64_t size() const override { return static_cast<std::int64_t>(paths_.size()); }
  image::Image load(std::int64_t index) const override {
    return image::decode_file(paths_.at(static_cast<std::size_t>(index)), channels_);
  }
  image::Planes load_wide(std::int64_t index) const override {
    return image::decode_file_wide(paths_.at(static_cast<std::size_t>(index)), channels_);
  }
  std::optional<std::vector<std::byte>> encoded(std::int64_t index) const override {
    return read_file(paths_.at(static_cast<std::size_t>(index)));
  }
  std::string name(std::int64_t index) const override {
    return paths_.at(static_cast<std::size_t>(index)).native();
  }
  std::int64_t label(std::int64_t index) const override {
    return labels_.empty() ? -1 : labels_.at(static_cast<std::size_t>(index));
  }
  const std::vector<std::string>& class_names() const override { return class_names_; }

 private:
  std::vector<fs::path> paths_;
  std::vector<std::int64_t> labels_;
  std::vector<std::string> class_names_;
  int channels_;
};

// ---- folders
// -------------------------------------------------------------------------------------

/** Appends the images in and below `folder`. Links are followed; `visited` holds the real folders
 * seen, so a loop of links ends. */
void collect(const fs::path& folder, std::set<fs::path>& visited, std::vector<fs::path>& images) {
  if (!visited.insert(fs::canonical(folder)).second) return;
  std::vector<fs::path> entries;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder))
    if (!entry.path().filename().native().starts_with('.')) entries.push_back(entry.path());
  // Sorted here already, so that of two links to one folder it is always the same that counts.
  std::sort(entries.begin(), entries.end());
  for (const fs::path& path : entries) {
    std::error_code dangling;
    if (fs::is_directory(path, dangling))
      collect(path, visited, images);
    else if (has_image_extension(path))
      images.push_back(path);
  }
}

/** "b" for "a/b/c.png" below "a"; empty for an image directly in the folder. */
std::string first_level(const fs::path& image, const fs::path& folder) {
  const fs::path relative = image.lexically_relative(folder);
  const auto second = std::next(relative.begin());
  return second == relative.end() ? "" : relative.begin()->native();
}

// ---- labels
// --------------------------------------------------------------------------------------

bool is_number(const std::string& text) {
  return !text.empty() && text.size() < 18 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

/** Class names in the order people expect: 2 before 10 if all are numbers, else by bytes. */
std::vector<std::string> sorted_names(const std::vector<std::string>& labels) {
  const std::set<std::string> unique(labels.begin(), labels.end());
  std::vector<std::string> names(unique.begin(), unique.end());
  if (std::all_of(names.begin(), names.end(), is_number))
    std::stable_sort(names.begin(), names.end(), [](const std::string& a, const std::string& b) {
      return std::stoll(a) < std::stoll(b);
    });
  return names;
}

/** One class name per image, or all empty: no labels. */
std::unique_ptr<Dataset> make(std::vector<fs::path> paths, const std::vector<std::string>& labels,
                              int channels) {
  if (std::any_of(labels.begin(), labels.end(), [](const auto& label) { return label.empty(); }))
    return std::make_unique<FileDataset>(std::move(paths), std::vector<std::int64_t>{},
                                         std::vector<std::string>{}, channels);
  std::vector<std::string> names = sorted_names(labels);
  std::map<std::string_view, std::int64_t> number;
  for (std::size_t i = 0; i < names.size(); ++i) number[names[i]] = static_cast<std::int64_t>(i);
  std::vector<std::int64_t> classes;
  for (const std::string& label : labels) classes.push_back(number.at(label));
  return std::make_unique<FileDataset>(std::move(paths), std::move(classes), std::move(names),
                                       channels);
}

// ---- lists
// ---------------------------------------------------------------------------------------

struct Line {
  std::string path, label;
};

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r'))
    text.remove_suffix(1);
  return text;
}

/** A path may hold commas: a line that ends like an image is all path. */
Line parse_line(std::string_view line) {
  const std::size_t tab = line.find('\t');
  const std::size_t split = tab != std::string_view::npos ? tab : line.rfind(',');
  if (split == std::string_view::npos || has_image_extension(fs::path(line)))
    return {std::string(line), ""};
  return {std::string(trimmed(line.substr(0, split))),
          std::string(trimmed(line.substr(split + 1)))};
}

}  // namespace

bool has_image_extension(const fs::path& path) {
  std::string extension = path.extension().native();
  std::transform(extension.begin(), extension.end(), extension.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  static constexpr std::string_view kExtensions[] = {".jpg", ".jpeg", ".png", ".webp",
                                                     ".tif", ".tiff", ".gif", ".bmp",
                                                     ".pbm", ".pgm",  ".ppm", ".pnm"};
  return std::ranges::find(kExtensions, extension) != std::end(kExtensions);
}

std::unique_ptr<Dataset> open_folder(const fs::path& folder, int channels) {
  std::vector<fs::path> images;
  try {
    std::set<fs::path> visited;
    collect(folder, visited, images);
  } catch (const fs::filesystem_error& error) {
    fail(ErrorKind::Io, "[open data set] '{}': {}", printable(error.path1()),
         error.code().message());
  }
  if (images.empty())
    fail(ErrorKind::Data,
         "[open data set] folder '{}' holds no image: no .jpg, .png, .webp, .tif, .gif, .bmp or "
         ".ppm file",
         printable(folder));
  std::sort(images.begin(), images.end(),
            [](const fs::path& a, const fs::path& b) { return a.native() < b.native(); });
  std::vector<std::string> labels;
  for (const fs::path& image : images) labels.push_back(first_level(image, folder));
  return make(std::move(images), labels, channels);
}

std::unique_ptr<Dataset> open_list(const fs::path& list, int channels) {
  const std::string text = read_text_file(list);
  std::vector<fs::path> paths;
  std::vector<std::string> labels;
  std::string_view rest = text;
  if (rest.starts_with("\xef\xbb\xbf")) rest.remove_prefix(3);  // UTF-8 mark of some editors
  for (int number = 1; !rest.empty(); ++number) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = trimmed(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (line.empty()) continue;
    const auto [path, label] = parse_line(line);
    if (!has_image_extension(path))
      fail(ErrorKind::Data,
           "[open data set] {}:{}: '{}' is no image file (.jpg, .png, .webp, .tif, .gif, .bmp, "
           ".ppm); one path per line, "
           "without a heading",
           printable(list), number, printable(std::string_view(path)));
    if (!labels.empty() && label.empty() != labels.front().empty())
      fail(ErrorKind::Data,
           "[open data set] {}:{}: the line has {} label, unlike those before; label all or none",
           printable(list), number, label.empty() ? "no" : "a");
    paths.push_back(list.parent_path() / path);
    labels.push_back(label);
  }
  if (paths.empty())
    fail(ErrorKind::Data, "[open data set] list '{}' names no images", printable(list));
  return make(std::move(paths), labels, channels);
}

}  // namespace dino::data
