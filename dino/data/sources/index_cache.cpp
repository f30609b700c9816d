// One safetensors file per source: the reader checks its structure, so most damaged files are
// refused there or by the checks here. Others may name or place images wrongly, nothing worse.
#include "dino/data/sources/index_cache.h"

#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstring>
#include <span>

#include "dino/base/error.h"
#include "dino/base/hash.h"
#include "dino/format/safetensors.h"

namespace dino::data {
namespace {

namespace fs = std::filesystem;
using format::DType;

constexpr std::int64_t kSecond = 1'000'000'000, kFineTick = 20'000'000, kCoarseTick = 2 * kSecond;
constexpr std::size_t kStamps = 5;  // numbers per witness

std::int64_t nanoseconds(const timespec& time) {
  return static_cast<std::int64_t>(time.tv_sec) * kSecond + time.tv_nsec;
}

/** NUL after each. */
template <typename Range, typename Text>
std::string joined(const Range& range, Text text) {
  std::string result;
  for (const auto& element : range) {
    result += text(element);
    result += '\0';
  }
  return result;
}

std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\0'), text.size());
    parts.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

/** Four texts each. */
std::vector<std::string> note_texts(const std::vector<SourceNote>& notes) {
  std::vector<std::string> texts;
  for (const SourceNote& note : notes)
    for (const std::string& text : {std::to_string(note.count), note.what, note.example, note.why})
      texts.push_back(text);
  return texts;
}

bool read_notes(std::string_view text, std::vector<SourceNote>& notes) {
  const std::vector<std::string> texts = split(text);
  if (texts.size() % 4 != 0) return false;
  for (std::size_t i = 0; i < texts.size(); i += 4) {
    SourceNote note{0, texts[i + 1], texts[i + 2], texts[i + 3]};
    const char* const end = texts[i].data() + texts[i].size();
    const auto [parsed, error] = std::from_chars(texts[i].data(), end, note.count);
    if (error != std::errc() || parsed != end || note.count < 1) return false;
    notes.push_back(std::move(note));
  }
  return true;
}

template <typename T>
format::TensorRecord record(const char* name, DType dtype, const T& values) {
  const auto bytes = std::as_bytes(std::span(values));
  return {
      name, dtype, {static_cast<std::int64_t>(bytes.size() / format::item_bytes(dtype))}, bytes};
}

}  // namespace

std::optional<Witness> witness(const fs::path& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return std::nullopt;
  return Witness{.path = path.native(),
                 .device = static_cast<std::int64_t>(info.st_dev),
                 .inode = static_cast<std::int64_t>(info.st_ino),
                 .size = S_ISDIR(info.st_mode) ? 0 : static_cast<std::int64_t>(info.st_size),
                 .modified_ns = nanoseconds(info.st_mtim),
                 .changed_ns = nanoseconds(info.st_ctim)};
}

/** Converts a SourceIndex to records and back; a friend of ItemTable. */
class IndexFile {
 public:
  static void write(const fs::path& path, std::string_view key, const SourceIndex& index) {
    const ItemTable& items = index.items;
    const auto itself = [](const std::string& text) -> const std::string& { return text; };
    const std::string classes = joined(items.class_names_, itself);
    const std::string paths =
        joined(index.witnesses, [](const Witness& w) -> const std::string& { return w.path; });
    const std::string notes = joined(note_texts(items.notes_), itself);
    std::vector<std::int64_t> stamps;
    for (const Witness& w : index.witnesses)
      stamps.insert(stamps.end(), {w.device, w.inode, w.size, w.modified_ns, w.changed_ns});
    const std::vector<std::uint64_t> further = {items.further_pages_};
    const format::TensorRecord records[] = {
        record("begins", DType::U64, items.begins_),
        record("further_pages", DType::U64, further),
        record("paged_items", DType::U32, items.paged_items_),
        record("paged_samples", DType::U32, items.paged_samples_),
        record("where", DType::U64, index.where),
        record("stamps", DType::I64, stamps),
        record("labels", DType::I32, items.labels_),
        record("sizes", DType::U32, index.sizes),
        record("names", DType::U8, items.names_),
        record("classes", DType::U8, classes),
        record("paths", DType::U8, paths),
        record("notes", DType::U8, notes),
        record("key", DType::U8, key)};
    format::write_safetensors(path, records);
  }

  static std::optional<SourceIndex> read(const fs::path& path, std::string_view key) {
    const format::SafetensorsFile file(path);
    SourceIndex index;
    ItemTable& items = index.items;
    std::string stored_key, classes, paths, notes;
    std::vector<std::int64_t> stamps;
    std::vector<std::uint64_t> further;
    if (!copy(file, "key", stored_key) || stored_key != key) return std::nullopt;
    if (!copy(file, "names", items.names_) || !copy(file, "begins", items.begins_) ||
        !copy(file, "labels", items.labels_) || !copy(file, "classes", classes) ||
        !copy(file, "where", index.where) || !copy(file, "sizes", index.sizes) ||
        !copy(file, "paths", paths) || !copy(file, "stamps", stamps) ||
        !copy(file, "paged_items", items.paged_items_) ||
        !copy(file, "paged_samples", items.paged_samples_) ||
        !copy(file, "further_pages", further) || further.size() != 1 ||
        !copy(file, "notes", notes) || !read_notes(notes, items.notes_))
      return std::nullopt;
    items.further_pages_ = further[0];
    items.class_names_ = split(classes);
    const std::vector<std::string> witnesses = split(paths);
    if (stamps.size() != witnesses.size() * kStamps) return std::nullopt;
    for (std::size_t i = 0; i < witnesses.size(); ++i) {
      const std::int64_t* s = stamps.data() + i * kStamps;
      index.witnesses.push_back({witnesses[i], s[0], s[1], s[2], s[3], s[4]});
    }
    return consistent(index) ? std::optional(std::move(index)) : std::nullopt;
  }

 private:
  template <typename T>
  static bool copy(const format::SafetensorsFile& file, std::string_view name, T& out) {
    const format::TensorRecord* found = file.find(name);
    constexpr std::size_t kItem = sizeof(typename T::value_type);
    if (found == nullptr || format::item_bytes(found->dtype) != kItem) return false;
    out.resize(found->bytes.size() / kItem);
    if (!out.empty()) std::memcpy(out.data(), found->bytes.data(), found->bytes.size());
    return true;
  }

  /** Whether each item with pages has two of them or more. */
  static bool pages_consistent(const ItemTable& items) {
    const auto& paged = items.paged_items_;
    const auto& samples = items.paged_samples_;
    if (paged.size() != samples.size()) return false;
    const auto grows = [](std::int64_t from, std::int64_t to) {
      return to > from && to - from < 65'535;
    };
    std::int64_t item = -1, further = -1;  // of the one before
    for (std::size_t i = 0; i < paged.size(); ++i) {
      const std::int64_t before = std::int64_t{samples[i]} - paged[i];
      if (paged[i] <= item || (i == 0 ? before != 0 : !grows(further, before))) return false;
      item = paged[i];
      further = before;
    }
    const auto all = static_cast<std::int64_t>(items.further_pages_);
    return paged.empty() ? all == 0 : item < items.size() && grows(further, all);
  }

  static bool consistent(const SourceIndex& index) {
    const ItemTable& items = index.items;
    const std::size_t count = items.begins_.size();
    if (count == 0 || items.begins_[0] != 0 || items.names_.empty() || items.names_.back() != '\0')
      return false;
    for (std::size_t i = 1; i < count; ++i)  // each name ends right before the next
      if (items.begins_[i] <= items.begins_[i - 1] || items.begins_[i] >= items.names_.size() ||
          items.names_[items.begins_[i] - 1] != '\0')
        return false;
    const auto classes = static_cast<std::int32_t>(items.class_names_.size());
    if (!items.labels_.empty() && items.labels_.size() != count) return false;
    if (std::any_of(items.labels_.begin(), items.labels_.end(),
                    [&](std::int32_t label) { return label < -1 || label >= classes; }))
      return false;
    if (!pages_consistent(items)) return false;
    return index.where.size() == index.sizes.size() &&
           (index.where.empty() || index.where.size() == count);
  }
};

IndexCache::IndexCache(const fs::path& folder, std::string_view key) : key_(key) {
  if (!folder.empty())
    file_ = folder / (xxh3_128_hex(std::as_bytes(std::span(key))) + ".safetensors");
}

std::optional<SourceIndex> IndexCache::load() const {
  std::error_code ignored;
  if (file_.empty() || !fs::exists(file_, ignored)) return std::nullopt;
  try {
    auto index = IndexFile::read(file_, key_);
    if (!index || index->witnesses.empty()) return std::nullopt;
    for (const Witness& known : index->witnesses)
      if (witness(known.path) != known) return std::nullopt;
    return index;
  } catch (const Error&) {
    return std::nullopt;  // damaged: scan again
  }
}

void IndexCache::save(const SourceIndex& index, std::int64_t scan_start_ns) const {
  if (file_.empty()) return;
  for (const Witness& seen : index.witnesses) {
    const std::int64_t tick = seen.changed_ns % kSecond != 0 ? kFineTick : kCoarseTick;
    if (std::max(seen.changed_ns, seen.modified_ns) > scan_start_ns - tick) return;
  }
  try {
    std::error_code ignored;
    fs::create_directories(file_.parent_path(), ignored);
    IndexFile::write(file_, key_, index);
  } catch (const Error&) {
    // Without a cache only time is lost.
  }
}

std::int64_t IndexCache::now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace dino::data
