// Archives of Python's tarfile (tests/golden/format/make_tar.py), our own, and hostile ones.
#include "dino/format/tar.h"

#include "dino/base/file.h"
#include "tests/format/hostile.h"
#include "tests/format/tar_header.h"

namespace dino::format {
namespace {

using Members = std::vector<std::pair<std::string, std::string>>;

Members read_all(std::span<const std::byte> bytes, std::string_view name = "hostile.bin") {
  SpanSource source(bytes);
  TarReader reader(source, name);
  Members members;
  while (const auto member = reader.next()) {
    if (!member->link.empty()) {
      EXPECT_FALSE(member->refused.empty());
      continue;
    }
    if (member->offset + member->size > bytes.size()) {  // as a caller would check
      fail(ErrorKind::Format, "[test] {}: cut short", name);
    }
    std::string data(member->size, '\0');
    EXPECT_EQ(reader.read(std::as_writable_bytes(std::span(data))), data.size());
    EXPECT_EQ(text_of(bytes.subspan(member->offset, member->size)), data);
    members.emplace_back(member->path, data);
  }
  EXPECT_FALSE(reader.next()) << "the end stays the end";
  return members;
}

std::string repeated(std::string_view text, int times) {
  std::string result;
  for (int i = 0; i < times; ++i) result += text;
  return result;
}

/** MEMBERS of make_tar.py. */
Members golden_members() {
  std::string bytes;
  for (int i = 0; i < 1024; ++i) bytes.push_back(static_cast<char>(i));
  return {{"a/first.jpg", "\xff\xd8 first"},
          {"a/empty.cls", ""},
          {repeated("split/", 24) + "b.png", bytes},
          {repeated("folder_", 20) + "/" + repeated("name_", 30) + ".png", "long"},
          {"caf\xc3\xa9.png", std::string(512, 'x')}};
}

std::string written(const Members& members) {
  std::string out;
  const TarWriter::Sink sink = [&](std::span<const std::byte> bytes) { out += text_of(bytes); };
  TarWriter writer(sink);
  for (const auto& [path, data] : members) writer.add(path, bytes_of(data));
  writer.finish();
  EXPECT_EQ(writer.bytes_written(), out.size());
  return out;
}

TEST(Tar, ReadsTheDialectsOfTarfile) {
  Members expected = golden_members();
  EXPECT_EQ(read_all(read_file(golden("gnu.tar"))), expected);
  EXPECT_EQ(read_all(read_file(golden("pax.tar"))), expected);
  expected.erase(expected.begin() + 3);  // ustar cannot express it
  EXPECT_EQ(read_all(read_file(golden("ustar.tar"))), expected);
}

/** make_tar.py has read this file and found the members. */
TEST(Tar, WritesWhatTarfileReads) {
  EXPECT_EQ(written(golden_members()), read_text_file(golden("ours.tar")));
}

TEST(Tar, WhatIsWrittenIsReadAgain) {
  Members members;
  for (const int length : {1, 99, 100, 101, 155, 156, 200, 255, 256, 257, 300, 5000}) {
    members.emplace_back(std::string(static_cast<std::size_t>(length), 'n'), "flat");
    std::string deep = repeated("d/", length);
    members.emplace_back(deep + "n.png", std::string(static_cast<std::size_t>(length), 'b'));
  }
  EXPECT_EQ(read_all(bytes_of(written(members))), members);
  EXPECT_EQ(read_all(bytes_of(written({}))), Members{});
}

TEST(Tar, RefusesToWriteNamesThatLeadNowhere) {
  for (const std::string& name :
       {std::string(), std::string("/a"), std::string("a/"), std::string("a\0b", 3)}) {
    EXPECT_THROW(written({{name, ""}}), Error) << name;
  }
}

TEST(Tar, PassesOverMembersWithoutReadingThem) {
  const std::string bytes = written({{"a", std::string(5000, 'a')}, {"b", "b"}});
  SpanSource source(bytes_of(bytes));
  TarReader reader(source, "x");
  EXPECT_EQ(reader.next()->path, "a");
  std::string some(10, '\0');
  EXPECT_EQ(reader.read(std::as_writable_bytes(std::span(some))), 10u);
  EXPECT_EQ(reader.next()->path, "b");
}

TEST(Tar, AMissingEndMarkIsNoDamage) {
  std::string bytes = written({{"a", "data"}});
  bytes.resize(bytes.size() - 1024);
  EXPECT_EQ(read_all(bytes_of(bytes)), (Members{{"a", "data"}}));
}

TEST(Tar, JoinedArchivesAreReadToTheEnd) {
  const std::string a = written({{"a", "1"}}), b = written({{"b", "2"}});
  const Members both = {{"a", "1"}, {"b", "2"}};
  EXPECT_EQ(read_all(bytes_of(a + b)), both);
  EXPECT_EQ(read_all(bytes_of(a + std::string(20 * 512, '\0') + b)), both);
  EXPECT_EQ(read_all(bytes_of(a + std::string(9000 * 512, '\0') + b)), (Members{{"a", "1"}}));
  for (const std::string& padding : {std::string(10'240, '\0'), std::string(700, 'x'),
                                     std::string(100, '\0'), std::string(2048, 'x')})
    EXPECT_EQ(read_all(bytes_of(a + padding)), (Members{{"a", "1"}})) << "no member, no damage";
}

/** A correct header with `type` and `size`, whose checksum is right. */
std::string header(char type, std::string_view size, std::string_view name = "n") {
  std::string bytes = written({{"n", ""}}).substr(0, 512);
  bytes.replace(0, name.size(), name);
  bytes[156] = type;
  bytes.replace(124, size.size(), size);
  return with_checksum(bytes);
}

TEST(Tar, HostileHeaders) {
  const auto refused = [](const std::string& bytes, std::string_view reason) {
    expect_refused([&] { read_all(bytes_of(bytes)); }, reason);
  };
  refused(std::string(512, 'x'), "no member header at byte 0");
  refused("short", "ends within the header");
  refused(header('0', "00000001000"), "cut short");
  refused(header('0', "77777777777"), "cut short");
  refused(header('0', "0000000x000"), "no readable size");
  refused(header('0', std::string(12, '\xFF')), "no readable size");
  refused(header('L', "77777777777"), "at most");
  refused(header('x', "77777777777"), "at most");
  refused(header('L', "00000000000"), "where a member should follow");
  for (const std::string_view record :
       {"5 a=b", "9 path=x", "99 path=x\n", "0 =\n", "-3 a\n", "4 a\n", "x", "14 size=pear\n\n",
        "99999999999999999999 a=b\n"}) {
    std::string bytes = header('x', fmt::format("{:011o}", record.size()));
    bytes += record;
    bytes.resize(1024);
    refused(bytes + header('0', "00000000000"), "damaged pax header");
  }
  const std::string huge = "28 size=9223372036854775807\n";
  std::string bytes = header('x', fmt::format("{:011o}", huge.size())) + huge;
  bytes.resize(1024);
  refused(bytes + header('0', "00000000000"), "absurd size");
}

TEST(Tar, LinksNameWhatTheyLeadTo) {
  const auto linked = [](char type, std::string_view from, std::string_view to) {
    std::string bytes = header(type, "00000000000", from);
    bytes = with_checksum(bytes.replace(157, to.size(), to));
    SpanSource source(bytes_of(bytes));
    return TarReader(source, "x").next()->link;
  };
  EXPECT_EQ(linked('1', "a/b", "c/d"), "c/d");
  EXPECT_EQ(linked('1', "a/b", "./c/d"), "c/d");
  EXPECT_EQ(linked('2', "a/b", "d"), "a/d");
  EXPECT_EQ(linked('2', "a/b", "../c/./d"), "c/d");
  EXPECT_EQ(linked('2', "a/b", "../../d"), "../d");
  EXPECT_EQ(linked('2', "a/b", "/d"), "/d");
  EXPECT_EQ(linked('2', "b", "d"), "d");
}

TEST(Tar, FoldersAndDevicesArePassedOver) {
  std::string bytes;
  for (const char type : {'3', '4', '5', '6'}) bytes += header(type, "00000007777");
  bytes += header('0', "00000000000", "folder/");
  bytes += header('7', "00000000000", "contiguous");
  bytes += header('\0', "00000000000", "old");
  EXPECT_EQ(read_all(bytes_of(bytes)), (Members{{"contiguous", ""}, {"old", ""}}));
}

TEST(Tar, Base256Sizes) {
  std::string size(12, '\0');
  size[0] = '\x80';
  size[11] = 3;
  std::string bytes = header('0', size) + "abc";
  bytes.resize(1024);
  EXPECT_EQ(read_all(bytes_of(bytes)), (Members{{"n", "abc"}}));
}

TEST(Tar, SurvivesDamage) {
  const std::string good = written({{"a.jpg", "data"}, {std::string(120, 'n'), "more"}});
  std::string damaged = good;
  for (std::size_t i = 0; i < good.size(); ++i) {
    for (const int change : {0x01, 0x80, 0xFF, 0x0A}) {
      damaged[i] = static_cast<char>(good[i] ^ change);
      try {
        read_all(bytes_of(damaged));
      } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::Format) << error.what();
      }
    }
    damaged[i] = good[i];
  }
  // Cut anywhere but between two members it is refused.
  for (std::size_t length = 1; length + 1024 < good.size(); ++length) {
    if (length == 1024) continue;
    EXPECT_THROW(read_all(bytes_of(std::string_view(good).substr(0, length))), Error) << length;
  }
}

}  // namespace
}  // namespace dino::format
