// The writing half: ustar headers, and a pax header before those that ustar cannot express.
#include <algorithm>
#include <array>
#include <cstring>

#include "dino/base/error.h"
#include "dino/base/text.h"
#include "dino/format/tar.h"

namespace dino::format {
namespace {

constexpr std::size_t kTarBlock = 512;
constexpr std::uint64_t kLargestOctal = 077777777777;  // eleven digits

/** "LENGTH KEY=VALUE\n", where LENGTH counts its own digits. */
std::string pax_record(std::string_view key, std::string_view value) {
  const std::size_t rest = key.size() + value.size() + 3;
  std::size_t length = rest + 1;
  while (rest + fmt::formatted_size("{}", length) != length)
    length = rest + fmt::formatted_size("{}", length);
  return fmt::format("{} {}={}\n", length, key, value);
}

}  // namespace

void TarWriter::write(std::span<const std::byte> bytes) {
  sink_(bytes);
  position_ += bytes.size();
}

void TarWriter::add_member(std::string_view name, std::string_view prefix, char type,
                           std::span<const std::byte> bytes) {
  std::array<char, kTarBlock> header{};
  const auto put = [&](std::size_t at, std::string_view text) {
    std::memcpy(header.data() + at, text.data(), text.size());
  };
  put(0, name);
  put(100, "0000644");
  put(108, "0000000");
  put(116, "0000000");
  put(124, fmt::format("{:011o}", std::min<std::uint64_t>(bytes.size(), kLargestOctal)));
  put(136, "00000000000");
  put(148, "        ");
  header[156] = type;
  put(257, std::string_view("ustar\00000", 8));
  put(345, prefix);
  unsigned sum = 0;
  for (const char c : header) sum += static_cast<unsigned char>(c);
  put(148, fmt::format("{:06o}", sum));
  header[154] = '\0';
  write(std::as_bytes(std::span(header)));
  write(bytes);
  constexpr std::array<std::byte, kTarBlock> kZeros{};
  write(std::span(kZeros).first((kTarBlock - bytes.size() % kTarBlock) % kTarBlock));
}

void TarWriter::add(std::string_view path, std::span<const std::byte> bytes) {
  if (path.empty() || path.front() == '/' || path.back() == '/' || path.find('\0') != path.npos) {
    fail(ErrorKind::Usage, "[write tar] '{}' cannot name a member; use a relative path",
         printable(path));
  }
  // ustar holds 100 bytes, or up to 155 and 100 split at a slash.
  constexpr std::size_t kName = 100, kPrefix = 155;
  std::string_view name = path, prefix;
  if (path.size() > kName) {
    const std::size_t slash = path.find('/', path.size() - kName - 1);
    if (slash != path.npos && slash > 0 && slash <= kPrefix) {
      prefix = path.substr(0, slash);
      name = path.substr(slash + 1);
    }
  }
  std::string pax;
  if (name.size() > kName) {
    pax = pax_record("path", path);
    name = name.substr(0, kName);
  }
  if (bytes.size() > kLargestOctal) pax += pax_record("size", fmt::format("{}", bytes.size()));
  if (!pax.empty()) add_member("pax", "", 'x', std::as_bytes(std::span(pax)));
  add_member(name, prefix, '0', bytes);
}

void TarWriter::finish() {
  constexpr std::array<std::byte, 2 * kTarBlock> kEnd{};
  write(kEnd);
}

}  // namespace dino::format
