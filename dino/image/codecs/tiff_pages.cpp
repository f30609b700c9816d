#include "dino/image/codecs/tiff_pages.h"

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <string_view>

#include "dino/base/error.h"
#include "dino/image/codecs/codec.h"

namespace dino::image {
namespace {

constexpr std::size_t kMaxPages = 65535;
constexpr std::uint64_t kMaxEntries = 4096;  ///< of a directory, as libtiff has it

constexpr std::uint64_t kMaxSubDirectories = 64;  ///< of one directory; cameras write four

enum Tag : std::uint64_t {
  kSubfileType = 254,
  kOldSubfileType = 255,
  kWidth = 256,
  kHeight = 257,
  kStripOffsets = 273,
  kStripByteCounts = 279,
  kTileOffsets = 324,
  kTileByteCounts = 325,
  kSubDirectories = 330
};
constexpr std::uint64_t kReduced = 1, kMask = 4;  ///< bits of the subfile type

constexpr std::uint64_t kOldReduced = 2;  ///< value of the old subfile type

/** Tags that say how pixels are coded, laid out and turned, and what they mean (GDAL's mark of no
 * data among them); of these a page is made. */
constexpr std::uint64_t kKept[] = {254, 256, 257, 258, 259,   262,   266,   273,  274, 277,
                                   278, 279, 280, 281, 284,   292,   293,   317,  320, 322,
                                   323, 324, 325, 332, 334,   338,   339,   340,  341, 347,
                                   529, 530, 531, 532, 32995, 32996, 42113, 50674};

constexpr std::uint64_t kLong = 4, kLong8 = 16;  ///< types

/** Bytes of one value of a type; 0 if it is unknown. */
std::uint64_t type_bytes(std::uint64_t type) {
  static constexpr std::uint8_t kBytes[] = {0, 1, 1, 2, 4, 8, 1, 1, 2, 4,
                                            8, 4, 8, 4, 0, 0, 8, 8, 8};
  return type < std::size(kBytes) ? kBytes[type] : 0;
}

bool is_integer(std::uint64_t type) {
  return type == 1 || type == 3 || type == kLong || type == 13 || type == kLong8 || type == 18;
}

/** The offset of the values: the entry itself if they fit. */
struct Entry {
  std::uint64_t tag = 0, type = 0, count = 0;
  std::vector<std::byte> field;  ///< the values, or their offset
};

struct Directory {
  std::vector<Entry> entries;
  std::uint64_t next = 0;

  const Entry* find(std::uint64_t tag) const {
    const auto found = std::ranges::find(entries, tag, &Entry::tag);
    return found == entries.end() ? nullptr : &*found;
  }
};

/** The byte order and offset size of a file. */
struct Form {
  bool big_endian = false;
  bool big = false;  ///< BigTIFF: 64-bit offsets

  std::size_t header_bytes() const { return big ? 16 : 8; }
  std::size_t count_bytes() const { return big ? 8 : 2; }
  std::size_t offset_bytes() const { return big ? 8 : 4; }
  std::size_t entry_bytes() const { return 4 + 2 * offset_bytes(); }

  std::uint64_t number(std::span<const std::byte> bytes) const {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < bytes.size(); ++i)
      value =
          value << 8 | std::to_integer<std::uint64_t>(bytes[big_endian ? i : bytes.size() - 1 - i]);
    return value;
  }

  void put(std::span<std::byte> out, std::uint64_t value) const {
    for (std::size_t i = 0; i < out.size(); ++i)
      out[big_endian ? out.size() - 1 - i : i] = static_cast<std::byte>(value >> (8 * i));
  }
};

class TiffReader {
 public:
  explicit TiffReader(const TiffSource& source) : source_(source) {
    std::array<std::byte, 16> head{};
    const std::size_t got = source.read_at(0, head);
    const auto begin = std::span<const std::byte>(head).first(got);
    if (kind_of(begin) != ImageKind::Tiff) return;
    form_.big_endian = head[0] == std::byte{'M'};
    form_.big = form_.number(begin.subspan(2, 2)) == 43;
    if (got < form_.header_bytes()) return;
    first_ = form_.number(begin.subspan(form_.big ? 8 : 4, form_.offset_bytes()));
  }

  const Form& form() const { return form_; }

  /** The first `most` pages. */
  std::vector<std::uint64_t> pages(std::size_t most) const {
    std::vector<std::uint64_t> pages;
    std::set<std::uint64_t> seen;
    std::uint64_t at = first_;
    bool is_damaged = true;  // at the start
    for (; at != 0 && pages.size() < most && seen.insert(at).second;) {
      const auto directory = read_directory(at);
      if (!directory) break;
      is_damaged = false;
      const std::uint64_t main = main_directory(*directory);
      if (main != 0 || is_page(*directory)) pages.push_back(main != 0 ? main : at);
      at = directory->next;
    }
    // If all images are marked as reduced, the first one counts.
    if (pages.empty() && !is_damaged && most > 0) pages.push_back(first_);
    return pages;
  }

  /** Nothing if there is none. */
  std::optional<Directory> read_directory(std::uint64_t at) const {
    std::array<std::byte, 8> count{};
    const auto head = std::span(count).first(form_.count_bytes());
    if (at > source_.size || source_.read_at(at, head) < head.size()) return std::nullopt;
    const std::uint64_t entries = form_.number(head);
    if (entries < 1 || entries > kMaxEntries) return std::nullopt;
    const std::size_t entry_bytes = form_.entry_bytes(), list_bytes = entries * entry_bytes;
    std::vector<std::byte> list(list_bytes + form_.offset_bytes());
    if (source_.read_at(at + head.size(), list) < list_bytes) return std::nullopt;
    Directory directory;
    directory.next = form_.number(std::span(list).subspan(list_bytes));
    for (std::size_t i = 0; i < list_bytes; i += entry_bytes) {
      const auto entry = std::span<const std::byte>(list).subspan(i, entry_bytes);
      const auto field = entry.last(form_.offset_bytes());
      directory.entries.push_back({form_.number(entry.first(2)),
                                   form_.number(entry.subspan(2, 2)),
                                   form_.number(entry.subspan(4, form_.offset_bytes())),
                                   {field.begin(), field.end()}});
    }
    return directory;
  }

  /** The values of a known type as they are stored. */
  std::vector<std::byte> values(const Entry& entry) const {
    const std::uint64_t item = type_bytes(entry.type);
    if (entry.count > source_.size / item) cut_short();
    const std::uint64_t bytes = entry.count * item;
    if (bytes > entry.field.size()) return read(form_.number(entry.field), bytes);
    return {entry.field.begin(), entry.field.begin() + static_cast<std::ptrdiff_t>(bytes)};
  }

  /** Offsets or sizes. */
  std::vector<std::uint64_t> integers(const Entry& entry) const {
    if (!is_integer(entry.type) || type_bytes(entry.type) < 2)
      fail_damaged("TIFF", "offsets or sizes are of another type");
    const std::vector<std::byte> bytes = values(entry);
    const std::size_t item = type_bytes(entry.type);
    std::vector<std::uint64_t> integers;
    integers.reserve(bytes.size() / item);
    for (std::size_t i = 0; i < bytes.size(); i += item)
      integers.push_back(form_.number(std::span(bytes).subspan(i, item)));
    return integers;
  }

  std::vector<std::byte> read(std::uint64_t offset, std::uint64_t count) const {
    if (offset > source_.size || count > source_.size - offset) cut_short();
    std::vector<std::byte> bytes(static_cast<std::size_t>(count));
    if (source_.read_at(offset, bytes) < bytes.size()) cut_short();
    return bytes;
  }

 private:
  [[noreturn]] void cut_short() const {
    fail(ErrorKind::Format, "[decode] truncated TIFF: a page reaches behind the end, {} bytes",
         source_.size);
  }

  /** The one value of a tag; nothing if it is not there or no integer. */
  std::optional<std::uint64_t> number(const Directory& directory, std::uint64_t tag) const {
    const Entry* entry = directory.find(tag);
    if (!entry || !is_integer(entry->type)) return std::nullopt;
    return form_.number(
        std::span(entry->field)
            .first(std::min<std::size_t>(type_bytes(entry->type), entry->field.size())));
  }

  bool is_page(const Directory& directory) const {
    if (const auto bits = number(directory, kSubfileType)) return (*bits & (kReduced | kMask)) == 0;
    return number(directory, kOldSubfileType).value_or(0) != kOldReduced;
  }

  double area(const Directory& directory) const {
    return static_cast<double>(number(directory, kWidth).value_or(0)) *
           static_cast<double>(number(directory, kHeight).value_or(0));
  }

  /** Cameras and scanners put a small image in front and the real one below it: the largest full
   * image of the sub-directories that is larger than this one. 0: there is none. */
  std::uint64_t main_directory(const Directory& directory) const {
    const Entry* entry = directory.find(kSubDirectories);
    if (!entry || !is_integer(entry->type) || type_bytes(entry->type) < 4 || entry->count < 1 ||
        entry->count > kMaxSubDirectories)
      return 0;
    const std::uint64_t bytes = entry->count * type_bytes(entry->type);
    const std::uint64_t list = bytes > entry->field.size() ? form_.number(entry->field) : 0;
    if (list > source_.size || bytes > source_.size - list) return 0;
    std::uint64_t main = 0;
    double largest = area(directory);
    for (const std::uint64_t at : integers(*entry)) {
      const auto below = read_directory(at);
      if (!below || !is_page(*below) || area(*below) <= largest) continue;
      largest = area(*below);
      main = at;
    }
    return main;
  }

  const TiffSource& source_;
  Form form_;
  std::uint64_t first_ = 0;  // 0: no TIFF file
};

/** One page, written anew: header, directory, values that do not fit in it, blocks. */
class PageWriter {
 public:
  /** `room` is the largest size of the page, bytes. */
  PageWriter(const TiffReader& reader, std::uint64_t room)
      : reader_(reader), form_(reader.form()), room_(room) {}

  std::vector<std::byte> write(const Directory& directory) {
    std::vector<const Entry*> kept;
    for (const Entry& entry : directory.entries)
      if (type_bytes(entry.type) > 0 && std::ranges::count(kKept, entry.tag) > 0)
        kept.push_back(&entry);
    begin(kept.size());
    for (const Entry* entry : kept) {
      if (entry->tag == kStripOffsets)
        add_blocks(*entry, directory.find(kStripByteCounts));
      else if (entry->tag == kTileOffsets)
        add_blocks(*entry, directory.find(kTileByteCounts));
      else
        add(entry->tag, entry->type, entry->count, reader_.values(*entry));
    }
    return std::move(out_);
  }

 private:
  void put(std::size_t at, std::size_t bytes, std::uint64_t value) {
    form_.put(std::span(out_).subspan(at, bytes), value);
  }

  void begin(std::size_t entries) {
    entry_ = form_.header_bytes() + form_.count_bytes();
    out_.resize(entry_ + entries * form_.entry_bytes() + form_.offset_bytes());
    out_[0] = out_[1] = form_.big_endian ? std::byte{'M'} : std::byte{'I'};
    put(2, 2, form_.big ? 43 : 42);
    if (form_.big) put(4, 2, form_.offset_bytes());
    put(form_.header_bytes() - form_.offset_bytes(), form_.offset_bytes(), form_.header_bytes());
    put(form_.header_bytes(), form_.count_bytes(), entries);
  }

  /** Appends bytes at an even offset, which it returns. Checks the size, since hostile directories
   * may refer to the same bytes many times. */
  std::uint64_t append(std::span<const std::byte> bytes) {
    if (bytes.size() > room_) fail_damaged("TIFF", "a page is larger than its file");
    room_ -= bytes.size();
    out_.resize(out_.size() + out_.size() % 2);
    const std::uint64_t at = out_.size();
    out_.insert(out_.end(), bytes.begin(), bytes.end());
    return at;
  }

  void add(std::uint64_t tag, std::uint64_t type, std::uint64_t count,
           std::span<const std::byte> values) {
    put(entry_, 2, tag);
    put(entry_ + 2, 2, type);
    put(entry_ + 4, form_.offset_bytes(), count);
    const std::size_t field = entry_ + 4 + form_.offset_bytes();
    if (values.size() > form_.offset_bytes())
      put(field, form_.offset_bytes(), append(values));
    else
      std::ranges::copy(values, out_.begin() + static_cast<std::ptrdiff_t>(field));
    entry_ += form_.entry_bytes();
  }

  /** Copies strips or tiles and sets the tag of their offsets. */
  void add_blocks(const Entry& offsets, const Entry* sizes) {
    if (!sizes) fail_damaged("TIFF", "strips without sizes");
    const std::vector<std::uint64_t> from = reader_.integers(offsets);
    const std::vector<std::uint64_t> bytes = reader_.integers(*sizes);
    if (from.size() > bytes.size()) fail_damaged("TIFF", "strips without sizes");
    const std::size_t item = form_.offset_bytes();
    std::vector<std::byte> places(from.size() * item);
    for (std::size_t i = 0; i < from.size(); ++i) {
      if (bytes[i] == 0 && from[i] != 0) fail_damaged("TIFF", "strips without sizes");
      const std::uint64_t at = bytes[i] == 0 ? 0 : append(reader_.read(from[i], bytes[i]));
      form_.put(std::span(places).subspan(i * item, item), at);
    }
    add(offsets.tag, form_.big ? kLong8 : kLong, from.size(), places);
  }

  const TiffReader& reader_;
  const Form form_;
  std::uint64_t room_;
  std::vector<std::byte> out_;
  std::size_t entry_ = 0;  // where the next one goes
};

}  // namespace

TiffSource tiff_in_memory(std::span<const std::byte> bytes) {
  return {bytes.size(), [bytes](std::uint64_t offset, std::span<std::byte> out) {
            if (offset >= bytes.size()) return std::size_t{0};
            const auto rest = bytes.subspan(static_cast<std::size_t>(offset));
            const std::size_t count = std::min(out.size(), rest.size());
            std::copy_n(rest.begin(), count, out.begin());
            return count;
          }};
}

TiffSource tiff_in_file(const RandomAccessFile& file, std::uint64_t offset, std::uint64_t size) {
  return {size, [&file, offset, size](std::uint64_t at, std::span<std::byte> out) {
            if (at >= size) return std::size_t{0};
            const auto count = std::min<std::uint64_t>(out.size(), size - at);
            return file.read_at(offset + at, out.first(static_cast<std::size_t>(count)));
          }};
}

std::vector<std::uint64_t> tiff_pages(const TiffSource& source) {
  return TiffReader(source).pages(kMaxPages);
}

std::optional<std::uint64_t> tiff_page(const TiffSource& source, int page) {
  DINO_ASSERT(page >= 0);
  const auto wanted = static_cast<std::size_t>(page);
  const std::vector<std::uint64_t> pages = TiffReader(source).pages(wanted + 1);
  return wanted < pages.size() ? std::optional(pages[wanted]) : std::nullopt;
}

std::uint64_t tiff_listed_blocks(const TiffSource& source, std::uint64_t offset) {
  const std::optional<Directory> directory = TiffReader(source).read_directory(offset);
  if (!directory) return 0;
  const Entry* tiles = directory->find(kTileOffsets);
  const Entry* strips = directory->find(kStripOffsets);
  return tiles ? tiles->count : strips ? strips->count : 0;
}

std::vector<std::byte> read_tiff_page(const TiffSource& source, int page) {
  if (const auto directory = tiff_page(source, page))
    return read_tiff_directory(source, *directory);
  fail(ErrorKind::Format, "[decode] the TIFF file has {} pages; there is no page {}",
       tiff_pages(source).size(), page);
}

std::vector<std::byte> read_tiff_directory(const TiffSource& source, std::uint64_t offset) {
  const TiffReader reader(source);
  const std::optional<Directory> directory = reader.read_directory(offset);
  if (!directory) fail(ErrorKind::Format, "[decode] truncated TIFF: no directory at {}", offset);
  // Lists of offsets may take twice the room, as 16-bit ones become longer.
  return PageWriter(reader, 2 * source.size).write(*directory);
}

}  // namespace dino::image
