// The reading half, after PKWARE's APPNOTE. Leaves out: encryption, several disks, methods other
// than stored and deflated; the checksums of stored members seen as views.
#include "dino/format/zip.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "dino/base/error.h"
#include "dino/base/text.h"
#include "dino/format/byte_order.h"
#include "dino/format/zip_records.h"

namespace dino::format {
namespace {

constexpr std::size_t kMaxMembers = 100'000'000;
constexpr std::size_t kMostEnds = 1000;  // signatures of end records that are looked at

class ZipReader {
 public:
  ZipReader(std::span<const std::byte> file, std::string_view name)
      : file_(file), name_(printable(name)) {}

  std::vector<ZipMember> read_stored() {
    std::vector<Entry> entries = read_directory();
    std::vector<ZipMember> members;
    for (const Entry& entry : entries) {
      if (entry.name.ends_with('/')) refuse("'{}' cannot name a member", shown(entry.name));
      if (entry.method != kStored) {
        refuse(
            "member '{}' is compressed (method {}), which torch.save never does but TorchScript "
            "does",
            shown(entry.name), entry.method);
      }
      if (entry.packed != entry.size) refuse("member '{}' has two sizes", shown(entry.name));
    }
    for (Entry& entry : entries) members.push_back({entry.name, data_of(entry)});
    check_apart(entries);
    return members;
  }

  std::vector<ZipEntry> list() {
    lenient_ = true;
    std::vector<ZipEntry> entries;
    for (const Entry& entry : read_directory()) {
      if (entry.name.ends_with('/') || entry.name.ends_with('\\')) continue;
      if (entry.begin > directory_begin_ || entry.packed > directory_begin_ - entry.begin) {
        refuse("member '{}' of {} bytes runs into the directory", shown(entry.name), entry.packed);
      }
      entries.push_back({entry.name, entry.begin, entry.packed});
    }
    return entries;
  }

 private:
  struct Entry {
    std::string_view name;
    std::uint64_t flags = 0, method = 0, packed = 0, size = 0;
    std::uint64_t begin = 0, end = 0;  // from local header to end of data
  };

  std::vector<Entry> read_directory() {
    find_directory();
    std::vector<Entry> entries;
    std::set<std::string_view> names;
    std::uint64_t position = directory_begin_;
    const auto more = [&] {  // some writers count to 65,535 and begin again
      return entries.size() < count_ || (lenient_ && count_ <= 0xFFFF && position < directory_end_);
    };
    while (more()) {
      entries.push_back(read_central(position));
      entries.back().begin += shift_;
      if (!lenient_ && !names.insert(entries.back().name).second) {
        refuse("has two members '{}'", shown(entries.back().name));
      }
    }
    if (position != directory_end_ || (entries.size() - count_) % 0x10000 != 0) {
      refuse("the directory holds more than it says");
    }
    return entries;
  }

  template <typename... Args>
  [[noreturn]] void refuse(fmt::format_string<Args...> format, Args&&... args) const {
    fail(ErrorKind::Format, "[read zip] {}: {}", name_,
         fmt::format(format, std::forward<Args>(args)...));
  }

  static std::string shown(std::string_view member) { return printable(member.substr(0, 100)); }

  std::span<const std::byte> part(std::uint64_t offset, std::uint64_t count) const {
    if (offset > file_.size() || count > file_.size() - offset) {
      refuse("a record of {} bytes at {} leaves the file; is it cut short?", count, offset);
    }
    return file_.subspan(offset, count);
  }

  static std::uint64_t number(std::span<const std::byte> record, std::size_t at,
                              std::size_t bytes) {
    return load_little_endian(record.subspan(at, bytes));
  }

  std::span<const std::byte> record(std::uint64_t offset, std::size_t bytes,
                                    std::uint64_t signature, std::string_view what) const {
    const auto found = part(offset, bytes);
    if (number(found, 0, 4) != signature) refuse("no {} at byte {}", what, offset);
    return found;
  }

  /** The end record: the last one whose comment reaches exactly to the end of the file or, if
   * bytes were added behind it, the last one that a directory ends at. */
  std::size_t find_end() const {
    const std::size_t reach = std::min(file_.size(), kEndBytes + 0xFFFF);
    for (std::size_t back = kEndBytes; back <= reach; ++back) {
      const auto candidate = file_.subspan(file_.size() - back, kEndBytes);
      if (number(candidate, 0, 4) == kEndSignature &&
          number(candidate, 20, 2) == back - kEndBytes) {
        return file_.size() - back;
      }
    }
    if (lenient_)
      if (const auto found = find_end_within()) return *found;
    refuse("a zip file without its end; is it cut short?");
  }

  std::optional<std::size_t> find_end_within() const {
    const std::string_view text(reinterpret_cast<const char*>(file_.data()), file_.size());
    std::size_t limit = text.npos;
    for (std::size_t tries = 0; tries < kMostEnds && limit > 0; ++tries) {
      const std::size_t at = text.rfind("PK\x05\x06", limit);
      if (at == text.npos) return std::nullopt;
      if (file_.size() - at >= kEndBytes) {
        const auto end = file_.subspan(at, kEndBytes);
        const std::uint64_t bytes = number(end, 12, 4);
        const bool in_64 =
            at >= kLocator64Bytes && number(file_, at - kLocator64Bytes, 4) == kLocator64Signature;
        const bool directory = bytes >= kCentralBytes && bytes <= at &&
                               number(file_, at - bytes, 4) == kCentralSignature;
        if (directory || in_64) return at;
      }
      limit = at - std::min<std::size_t>(at, 1);
    }
    return std::nullopt;
  }

  void find_directory() {
    const std::size_t end_at = find_end();
    const auto end = part(end_at, kEndBytes);
    count_ = number(end, 10, 2);
    std::uint64_t bytes = number(end, 12, 4);
    directory_begin_ = number(end, 16, 4);
    directory_end_ = end_at;
    bool one_disk = number(end, 4, 4) == 0 && number(end, 8, 2) == count_;
    if (end_at >= kLocator64Bytes &&
        number(part(end_at - kLocator64Bytes, 4), 0, 4) == kLocator64Signature) {
      directory_end_ = find_end64(end_at - kLocator64Bytes);
      const auto end64 = record(directory_end_, kEnd64Bytes, kEnd64Signature, "ZIP64 end record");
      one_disk = number(end64, 16, 8) == 0 && number(end64, 24, 8) == number(end64, 32, 8);
      count_ = number(end64, 32, 8);
      bytes = number(end64, 40, 8);
      directory_begin_ = number(end64, 48, 8);
    }
    if (!one_disk) refuse("is one of several disks, which is not supported");
    if (lenient_ && bytes <= directory_end_ && directory_begin_ < directory_end_ - bytes) {
      shift_ = directory_end_ - bytes - directory_begin_;
      directory_begin_ += shift_;
    }
    if (directory_begin_ > directory_end_ || directory_end_ - directory_begin_ != bytes) {
      refuse("the directory is not where the end record says");
    }
    if (count_ > kMaxMembers || count_ * kCentralBytes > bytes) {
      refuse("claims {} members in a directory of {} bytes", count_, bytes);
    }
  }

  /** The ZIP64 end record: where the locator says or, if bytes were prepended to the archive, right
   * before the locator. */
  std::uint64_t find_end64(std::uint64_t locator) const {
    const std::uint64_t stated = number(part(locator, kLocator64Bytes), 8, 8);
    const bool there = stated < locator && number(part(stated, 4), 0, 4) == kEnd64Signature;
    return lenient_ && !there && locator >= kEnd64Bytes ? locator - kEnd64Bytes : stated;
  }

  Entry read_central(std::uint64_t& position) const {
    const auto fixed = record(position, kCentralBytes, kCentralSignature, "directory entry");
    const std::uint64_t name_bytes = number(fixed, 28, 2), extra_bytes = number(fixed, 30, 2);
    const std::uint64_t comment_bytes = number(fixed, 32, 2);
    const auto tail = part(position + kCentralBytes, name_bytes + extra_bytes + comment_bytes);
    position += kCentralBytes + tail.size();
    if (position > directory_end_) refuse("the directory ends within an entry");

    Entry entry;
    entry.name = {reinterpret_cast<const char*>(tail.data()), name_bytes};
    check_name(entry.name);
    entry.flags = number(fixed, 8, 2);
    if (!lenient_ && (entry.flags & ~kHarmlessFlags) != 0) {
      refuse("member '{}' is encrypted or patched", shown(entry.name));
    }
    entry.method = number(fixed, 10, 2);
    entry.packed = number(fixed, 20, 4);
    entry.size = number(fixed, 24, 4);
    entry.begin = number(fixed, 42, 4);
    read_zip64(entry.name, tail.subspan(name_bytes, extra_bytes),
               {&entry.size, &entry.packed, &entry.begin});
    return entry;
  }

  /** Replaces the numbers that did not fit in 32 bits, in the order the format lists them. */
  void read_zip64(std::string_view member, std::span<const std::byte> extra,
                  std::initializer_list<std::uint64_t*> numbers) const {
    const bool wanted =
        std::any_of(numbers.begin(), numbers.end(), [](const auto* n) { return *n == kIn64; });
    while (wanted && extra.size() >= 4) {
      const std::uint64_t id = number(extra, 0, 2), bytes = number(extra, 2, 2);
      if (bytes > extra.size() - 4) break;
      auto body = extra.subspan(4, bytes);
      extra = extra.subspan(4 + bytes);
      if (id != 1) continue;
      for (std::uint64_t* const value : numbers) {
        if (*value != kIn64) continue;
        if (body.size() < 8) refuse("member '{}' lacks its ZIP64 size", shown(member));
        *value = number(body, 0, 8);
        body = body.subspan(8);
      }
      return;
    }
    if (wanted) refuse("member '{}' lacks its ZIP64 size", shown(member));
  }

  /** Whether the name is a relative path that does not leave its folder. */
  void check_name(std::string_view member) const {
    if (lenient_) {  // a name to show, not a path to write to
      if (member.empty() || member.find('\0') != member.npos)
        refuse("'{}' cannot name a member", shown(member));
      return;
    }
    std::string_view rest = member;
    if (rest.ends_with('/')) rest.remove_suffix(1);  // a folder
    for (bool more = true; more;) {
      const std::size_t slash = rest.find('/');
      more = slash != rest.npos;
      const std::string_view component = rest.substr(0, slash);
      const bool plain = !component.empty() && component != "." && component != ".." &&
                         component.find_first_of(std::string_view("\\\0", 2)) == component.npos;
      if (!plain) refuse("'{}' cannot name a member", shown(member));
      if (more) rest.remove_prefix(slash + 1);
    }
  }

  /** Reads the local header, which must match the directory. */
  std::span<const std::byte> data_of(Entry& entry) const {
    const auto fixed = record(entry.begin, kLocalBytes, kLocalSignature, "member");
    const std::uint64_t name_bytes = number(fixed, 26, 2), extra_bytes = number(fixed, 28, 2);
    const auto name = part(entry.begin + kLocalBytes, name_bytes);
    const std::string_view local_name(reinterpret_cast<const char*>(name.data()), name.size());
    if (local_name != entry.name || number(fixed, 8, 2) != 0) {
      refuse("member '{}' differs from its directory entry", shown(entry.name));
    }
    const std::uint64_t size = number(fixed, 22, 4);
    if ((number(fixed, 6, 2) & kSizesFollow) == 0 && size != kIn64 && size != entry.size) {
      refuse("member '{}' has two sizes", shown(entry.name));
    }
    const std::uint64_t data = entry.begin + kLocalBytes + name_bytes + extra_bytes;
    if (data > directory_begin_ || entry.size > directory_begin_ - data) {
      refuse("member '{}' of {} bytes runs into the directory", shown(entry.name), entry.size);
    }
    entry.end = data + entry.size;
    return file_.subspan(data, entry.size);
  }

  void check_apart(std::vector<Entry>& entries) const {
    std::sort(entries.begin(), entries.end(),
              [](const Entry& a, const Entry& b) { return a.begin < b.begin; });
    for (std::size_t i = 1; i < entries.size(); ++i) {
      if (entries[i].begin < entries[i - 1].end) {
        refuse("member '{}' overlaps '{}'", shown(entries[i].name), shown(entries[i - 1].name));
      }
    }
  }

  std::span<const std::byte> file_;
  std::string name_;
  std::uint64_t count_ = 0, directory_begin_ = 0, directory_end_ = 0;
  std::uint64_t shift_ = 0;  // bytes in front of the archive that its offsets do not count
  bool lenient_ = false;     // see list_zip()
};

}  // namespace

std::vector<ZipMember> read_stored_zip(std::span<const std::byte> file, std::string_view name) {
  return ZipReader(file, name).read_stored();
}

std::vector<ZipEntry> list_zip(std::span<const std::byte> file, std::string_view name) {
  return ZipReader(file, name).list();
}

}  // namespace dino::format
