// Data sets of single image files, and the search for them in folders.
#include <sys/stat.h>

#include <algorithm>
#include <map>
#include <set>
#include <string_view>
#include <utility>

#include "dino/base/error.h"
#include "dino/base/file.h"
#include "dino/base/text.h"
#include "dino/data/sources/encoded_dataset.h"
#include "dino/data/sources/index_cache.h"
#include "dino/data/sources/sample_name.h"
#include "dino/data/sources/sources.h"
#include "dino/image/codecs/file_name.h"
#include "dino/image/codecs/sniff.h"

namespace dino::data {
namespace {

namespace fs = std::filesystem;

class FileDataset : public EncodedDataset {
 public:
  FileDataset(ItemTable items, const fs::path& root, const FileDecoding& decoding)
      : EncodedDataset(std::move(items), decoding), root_(root) {}

 protected:
  std::string item_name(std::int64_t item) const override {
    return (root_.path() / items().name(item)).native();
  }
  std::vector<std::byte> read(std::int64_t item) const override {
    return checked([&] { return read_image_file(item_name(item)); });
  }
  std::vector<std::byte> read_page(std::int64_t item, int page) const override {
    return checked([&] { return read_image_page(item_name(item), page); });
  }

 private:
  template <typename Read>
  std::vector<std::byte> checked(const Read& bytes) const {
    try {
      return bytes();
    } catch (const BadImage&) {
      root_.check();
      throw;
    }
  }

  SourceRoot root_;
};

// ---- folders
// -------------------------------------------------------------------------------------

/** The images in and below a folder, in the byte order of their paths. Links are followed; each
 * real folder is entered once, so a loop of links ends. */
class FolderScan {
 public:
  explicit FolderScan(const fs::path& root) : root_(root) {}

  SourceIndex run() {
    enter("");
    if (outside_ > 0) index_.items.forget_labels();
    if (outside_ > 0 && within_ > 0)
      index_.items.notes().push_back(
          {outside_, "images lie in no sub-folder, so that folders name no classes", first_outside_,
           ""});
    index_.items.seal();
    return std::move(index_);
  }

 private:
  /** `prefix`: the folder relative to the root; empty or ending in a slash. */
  void enter(const std::string& prefix) {
    const fs::path folder = root_ / prefix;
    const auto seen = witness(folder);
    if (!seen) fail(ErrorKind::Io, "[open data set] '{}': cannot be read", printable(folder));
    if (!visited_.insert({seen->device, seen->inode}).second) return;
    index_.witnesses.push_back(*seen);
    // A slash after each folder makes the order of names that of whole paths.
    std::vector<std::string> entries;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
      std::string name = entry.path().filename().native();
      if (name.starts_with('.')) continue;
      std::error_code dangling;
      if (entry.is_directory(dangling))
        entries.push_back(std::move(name) + '/');
      else if (is_image(prefix + name))
        entries.push_back(std::move(name));
    }
    std::sort(entries.begin(), entries.end());
    for (const std::string& name : entries) {
      const std::string path = prefix + name;
      if (name.ends_with('/'))
        enter(path);
      else
        add(path);
    }
  }

  bool is_image(const std::string& path) {
    const MemberUse use = use_of(path, {});
    if (use == MemberUse::Image) return true;
    std::vector<std::byte> head;
    if (use == MemberUse::Unknown) head = first_bytes(root_ / path);
    if (image::kind_of(head) != image::ImageKind::Unknown) return true;
    note_unread(index_.items.notes(), path, head);
    return false;
  }

  void add(const std::string& path) {
    (first_level(path).empty() ? outside_ : within_) += 1;
    if (first_level(path).empty() && first_outside_.empty()) first_outside_ = path;
    const auto seen = has_tiff_extension(path) ? witness(root_ / path) : std::nullopt;
    const int pages = seen ? count_pages(root_ / path) : 1;
    if (pages > 1) index_.witnesses.push_back(*seen);
    index_.items.add(path, first_level(path), pages);
  }

  fs::path root_;
  std::int64_t outside_ = 0, within_ = 0;  // images in the folder itself, in sub-folders
  std::string first_outside_;
  std::set<std::pair<std::int64_t, std::int64_t>> visited_;
  SourceIndex index_;
};

/** ImageNet's labels.txt: "n01440764,tench"; nothing if there is no such file. */
std::map<std::string, std::string, std::less<>> read_class_names(const fs::path& folder) {
  std::map<std::string, std::string, std::less<>> names;
  for (const fs::path& beside : {folder, folder.parent_path()}) {
    const fs::path file = beside / "labels.txt";
    std::error_code ignored;
    if (!fs::is_regular_file(file, ignored)) continue;
    const std::string text = read_text_file(file);
    for (std::string_view rest = text; !rest.empty();) {
      const std::size_t end = std::min(rest.find('\n'), rest.size());
      std::string_view line = rest.substr(0, end);
      rest.remove_prefix(std::min(end + 1, rest.size()));
      if (line.ends_with('\r')) line.remove_suffix(1);
      const std::size_t comma = line.find(',');
      if (comma != line.npos && comma + 1 < line.size())
        names.emplace(line.substr(0, comma), line.substr(comma + 1));
    }
    return names;
  }
  return names;
}

/** If classes share a name (ImageNet has two cranes), the folder's name is added. */
void rename_classes(ItemTable& items, const fs::path& folder) {
  const auto known = read_class_names(folder);
  std::vector<std::string> names = items.class_names();
  if (known.empty() || names.empty()) return;
  std::map<std::string_view, int> uses;
  for (const std::string& name : names)
    if (const auto found = known.find(name); found != known.end()) ++uses[found->second];
  for (std::string& name : names)
    if (const auto found = known.find(name); found != known.end())
      name = uses[found->second] == 1 ? found->second : fmt::format("{} ({})", found->second, name);
  items.rename_classes(std::move(names));
}

}  // namespace

SourceRoot::SourceRoot(fs::path folder)
    : path_(std::move(folder)), identity_(identity(path_.empty() ? "." : path_)) {}

std::optional<SourceRoot::Identity> SourceRoot::identity(const fs::path& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return std::nullopt;
  return Identity{info.st_dev, info.st_ino};
}

void SourceRoot::check() const {
  const auto now = identity(path_.empty() ? "." : path_);
  if (now && now == identity_) return;
  fail(ErrorKind::Data,
       "[load images] '{}' {}; is its disk still there? Bring it back, then continue with --resume",
       printable(path_), now ? "is no longer the folder it was" : "has vanished");
}

std::string lower_extension(const fs::path& path) {
  std::string extension = path.extension().native();
  std::transform(extension.begin(), extension.end(), extension.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return extension;
}

std::vector<std::byte> first_bytes(const fs::path& path) {
  try {
    const RandomAccessFile file(path);
    std::vector<std::byte> head(kTellingBytes);
    head.resize(file.read_at(0, head));
    return head;
  } catch (const Error&) {
    return {};
  }
}

bool has_tiff_extension(const fs::path& path) {
  const std::string extension = lower_extension(path);
  return extension == ".tif" || extension == ".tiff";
}

int count_pages(const image::TiffSource& file) {
  return static_cast<int>(std::max<std::size_t>(1, image::tiff_pages(file).size()));
}

int count_pages(const fs::path& path) {
  if (!has_tiff_extension(path)) return 1;
  try {
    const RandomAccessFile file(path);
    return count_pages(image::tiff_in_file(file, 0, file.size()));
  } catch (const Error&) {
    return 1;  // loading it says why
  }
}

std::string_view first_level(std::string_view path) {
  const std::size_t slash = path.find('/');
  return slash == path.npos ? std::string_view() : path.substr(0, slash);
}

namespace {

[[noreturn]] void refuse_empty(const fs::path& folder, const ItemTable& items) {
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.path().extension() == ".tar")
      fail(ErrorKind::Data,
           "[open data set] folder '{}' holds no image but '{}'; name the shards themselves: "
           "FOLDER/shard-{{000000..000012}}.tar",
           printable(folder), printable(entry.path().filename()));
  std::string others;
  for (const SourceNote& note : items.notes()) others += "; " + describe(note);
  fail(ErrorKind::Data, "[open data set] folder '{}' holds no image ({}){}", printable(folder),
       image::image_extensions(), others);
}

}  // namespace

std::unique_ptr<Dataset> make_file_dataset(ItemTable items, const fs::path& root,
                                           const FileDecoding& decoding) {
  return std::make_unique<FileDataset>(std::move(items), root, decoding);
}

std::unique_ptr<Dataset> open_image(const fs::path& file, const FileDecoding& decoding) {
  ItemTable items;
  const fs::path name = file.filename();
  items.add(name.native(), "", count_pages(file));
  items.seal();
  return make_file_dataset(std::move(items), file.parent_path(), decoding);
}

std::unique_ptr<Dataset> open_folder(const fs::path& folder, const FileDecoding& decoding,
                                     const fs::path& cache) {
  std::error_code ignored;
  const fs::path root = fs::is_regular_file(folder / "labels.txt", ignored) &&
                                fs::is_directory(folder / "train", ignored)
                            ? folder / "train"
                            : folder;
  const IndexCache kept(cache, "folder\n" + fs::absolute(root).native());
  std::optional<SourceIndex> index = kept.load();
  if (!index) try {
      const std::int64_t start = IndexCache::now_ns();
      index = FolderScan(root).run();
      kept.save(*index, start);
    } catch (const fs::filesystem_error& error) {
      fail(ErrorKind::Io, "[open data set] '{}': {}", printable(error.path1()),
           error.code().message());
    }
  if (index->items.size() == 0) refuse_empty(folder, index->items);
  rename_classes(index->items, root);
  return make_file_dataset(std::move(index->items), root, decoding);
}

}  // namespace dino::data
