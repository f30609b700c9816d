// Sparse members by GNU tar and bsdtar (tests/golden/format/make_sparse.py), by hand, and damaged:
// what follows them is always read.
#include "dino/base/file.h"
#include "dino/format/tar.h"
#include "tests/format/hostile.h"
#include "tests/format/tar_header.h"

namespace dino::format {
namespace {

struct Found {
  std::string path, data, refused;
};

std::vector<Found> read_all(std::span<const std::byte> bytes, std::size_t piece = 1 << 16) {
  SpanSource source(bytes);
  TarReader reader(source, "hostile.bin");
  std::vector<Found> members;
  while (const auto member = reader.next()) {
    std::string data, part(piece, '\0');
    if (member->refused.empty()) {
      while (const std::size_t got = reader.read(std::as_writable_bytes(std::span(part))))
        data.append(part, 0, got);
      EXPECT_EQ(data.size(), member->size) << member->path;
    }
    members.push_back({member->path, data, member->refused});
  }
  return members;
}

/** holes.bin of make_sparse.py. */
std::string holes() {
  std::string data;
  for (char part = 1; part <= 6; ++part) data += std::string(4096, '\0') + std::string(4096, part);
  return data + '\0';
}

TEST(TarSparse, ReadsWhatOtherProgramsWrite) {
  for (const char* name : {"sparse_gnu.tar", "sparse_pax_0.0.tar", "sparse_pax_0.1.tar",
                           "sparse_pax_1.0.tar", "sparse_bsdtar.tar"})
    for (const std::size_t piece : {std::size_t{1000}, std::size_t{1} << 16}) {
      SCOPED_TRACE(name);
      const auto bytes = read_file(golden(name));
      EXPECT_LT(bytes.size(), holes().size()) << "the zeros are left out";
      const std::vector<Found> found = read_all(bytes, piece);
      ASSERT_EQ(found.size(), 3u);
      EXPECT_EQ(found[0].data, "before");
      EXPECT_EQ(found[1].path, "holes.bin");
      EXPECT_TRUE(found[1].data == holes());
      EXPECT_EQ(found[2].path, "z.txt");
      EXPECT_EQ(found[2].data, "behind");
    }
}

/** Its header is where a reader can begin again. */
TEST(TarSparse, IsReadAgainFromItsHeader) {
  const auto bytes = read_file(golden("sparse_pax_1.0.tar"));
  SpanSource source(bytes);
  TarReader reader(source, "x");
  reader.next();
  const auto member = reader.next();
  ASSERT_TRUE(member && member->sparse);
  const auto again = read_all(std::span(bytes).subspan(member->header));
  EXPECT_EQ(again.at(0).path, "holes.bin");
  EXPECT_TRUE(again.at(0).data == holes());
}

std::string block(std::string text) {
  text.resize((text.size() + 511) / 512 * 512);
  return text;
}

std::string header(char type, std::uint64_t size, std::string_view name,
                   const std::vector<std::pair<std::size_t, std::string>>& fields = {}) {
  std::string bytes(512, '\0');
  bytes.replace(0, name.size(), name);
  bytes.replace(124, 11, fmt::format("{:011o}", size));
  bytes.replace(257, 7, "ustar  ");
  bytes[156] = type;
  for (const auto& [at, field] : fields) bytes.replace(at, field.size(), field);
  return with_checksum(bytes);
}

std::string octal(std::uint64_t value) {
  return fmt::format("{:011o}", value) + '\0';
}

std::string pair(std::uint64_t offset, std::uint64_t bytes) {
  return octal(offset) + octal(bytes);
}

std::string plain(const std::string& name, const std::string& data) {
  return header('0', data.size(), name) + block(data);
}

TEST(TarSparse, OldHeadersGoOnInBlocks) {
  // 60 extents of 2 bytes, 10 apart: 4 in the header, 21 and 21 and 14 behind it.
  std::vector<std::pair<std::size_t, std::string>> fields = {{482, "\x01"}, {483, octal(601)}};
  std::string data, expected(601, '\0');
  std::vector<std::string> blocks(3, std::string(512, '\0'));
  blocks[0][504] = blocks[1][504] = 1;
  for (std::size_t i = 0; i < 60; ++i) {
    const std::string text = fmt::format("{:02}", i);
    data += text;
    expected.replace(10 * i, 2, text);
    if (i < 4)
      fields.emplace_back(386 + 24 * i, pair(10 * i, 2));
    else
      blocks[(i - 4) / 21].replace((i - 4) % 21 * 24, 24, pair(10 * i, 2));
  }
  const auto found = read_all(bytes_of(header('S', data.size(), "s", fields) + blocks[0] +
                                       blocks[1] + blocks[2] + block(data) + plain("z", "end")),
                              7);
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].data, expected);
  EXPECT_EQ(found[1].data, "end");
}

std::string record(const std::string& key, const std::string& value) {
  const std::string rest = " " + key + "=" + value + "\n";
  std::size_t length = rest.size() + 1;
  while (std::to_string(length).size() + rest.size() != length) ++length;
  return std::to_string(length) + rest;
}

std::string pax(const std::vector<std::pair<std::string, std::string>>& records) {
  std::string text;
  for (const auto& [key, value] : records) text += record(key, value);
  return header('x', text.size(), "x") + block(text);
}

TEST(TarSparse, DamagedMapsCostTheirMemberAlone) {
  const auto old = [](const std::string& map, std::uint64_t size) {
    return header('S', 4, "s", {{386, map}, {483, octal(size)}}) + block("data");
  };
  const auto pax_map = [](const std::string& map, const std::string& size) {
    return pax({{"GNU.sparse.size", size}, {"GNU.sparse.map", map}}) + plain("s", "data");
  };
  const auto in_data = [](const std::string& map, const std::string& size = "9") {
    return pax({{"GNU.sparse.major", "1"},
                {"GNU.sparse.minor", "0"},
                {"GNU.sparse.realsize", size}}) +
           plain("s", block(map) + "data");
  };
  const std::string bad[] = {
      old(pair(0, 3), 9),                       // less than is stored
      old(pair(0, 5), 9),                       // more
      old(pair(6, 4), 9),                       // beyond its end
      old(pair(4, 2) + pair(0, 2), 9),          // descending
      old(pair(0, 3) + pair(2, 1), 9),          // overlapping
      old(std::string(24, 'x'), 9),             // no numbers
      old(pair(0, 4), std::uint64_t{1} << 32),  // four gigabytes of zeros
      pax_map("0,4,5", "9"),                    // half a pair
      pax_map("0,four", "9"),
      pax_map("0,4", "99999999999999999999999"),
      pax_map("0,4", "1099511627776"),
      in_data("1\n0\n5\n"),
      in_data("x\n"),
      in_data("-1\n"),
      in_data("99999999999999999999999\n"),
      in_data("2000000\n"),
      in_data("1\n0\n" + std::string(600, '4')),
      pax({{"GNU.sparse.major", "2"}}) + plain("s", "data"),
      pax({{"SUN.holesdata", " 0 4"}}) + plain("s", "data"),
      header('M', 4, "s") + block("part"),  // of another volume
  };
  for (const std::string& member : bad) {
    SCOPED_TRACE(&member - bad);
    const auto found = read_all(bytes_of(plain("a", "1") + member + plain("z", "end")));
    ASSERT_EQ(found.size(), 3u);
    EXPECT_EQ(found[0].data, "1");
    EXPECT_FALSE(found[1].refused.empty());
    EXPECT_EQ(found[1].path, "s");
    EXPECT_EQ(found[2].data, "end");
  }
}

TEST(TarSparse, OfZerosAlone) {
  const auto found =
      read_all(bytes_of(header('S', 0, "s", {{386, pair(70, 0)}, {483, octal(70)}}) +
                        pax({{"GNU.sparse.size", "5"}, {"GNU.sparse.map", ""}}) + plain("t", "")));
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].data, std::string(70, '\0'));
  EXPECT_EQ(found[1].data, std::string(5, '\0'));
}

TEST(TarSparse, CutShortIsAnErrorAtOnce) {
  const std::string goes_on = header('S', 4, "s", {{482, "\x01"}, {483, octal(9)}});
  expect_refused([&] { read_all(bytes_of(goes_on)); }, "sparse");
  const std::string no_map = pax({{"GNU.sparse.major", "1"}}) + header('0', 4, "s");
  expect_refused([&] { read_all(bytes_of(no_map)); }, "map");
}

TEST(TarSparse, SurvivesDamage) {
  std::string good = text_of(read_file(golden("sparse_pax_1.0.tar")));
  good.resize(8 << 10);
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string damaged = good;
    damaged[i] = static_cast<char>(good[i] ^ 0x05);
    try {
      read_all(bytes_of(damaged));
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::Format) << error.what();
    }
  }
}

}  // namespace
}  // namespace dino::format
