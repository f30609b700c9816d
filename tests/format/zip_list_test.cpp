// Archives of images as other programs leave them, and what becomes of damaged members.
#include <fstream>

#include "dino/format/zip.h"
#include "tests/format/hostile.h"
#include "tests/format/torch_builder.h"
#include "tests/temp_dir.h"

namespace dino::format {
namespace {

using build::EndLies;
using build::little;
using build::Member;
using build::zip;

/** Lists and unpacks: "name: data", or "name! why". */
std::vector<std::string> contents(const std::string& bytes) {
  const test::TempDir temp;
  std::ofstream(temp / "hostile.bin", std::ios::binary) << bytes;
  const RandomAccessFile file(temp / "hostile.bin");
  std::vector<std::string> found;
  for (const ZipEntry& entry : list_zip(bytes_of(bytes), "hostile.bin")) {
    std::string data;
    try {
      unpack_zip_member(file, entry, [&](auto piece) { data += text_of(piece); });
      std::string head(3, '\0');
      head.resize(read_zip_head(file, entry, std::as_writable_bytes(std::span(head))));
      EXPECT_EQ(head, data.substr(0, 3));
      found.push_back(fmt::format("{}: {}", entry.name, data));
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::Format) << error.what();
      found.push_back(fmt::format("{}! {}", entry.name, error.what()));
    }
  }
  return found;
}

using Contents = std::vector<std::string>;
const std::vector<Member> kTwo = {{"a", "abc"}, {"b/c", "x"}};
const Contents kTwoFound = {"a: abc", "b/c: x"};

TEST(ZipList, BytesInFrontAndBehindAreNoDamage) {
  const std::string good = zip(kTwo);
  EXPECT_EQ(contents(good), kTwoFound);
  for (const std::string& other : {std::string(1, '\0'), std::string(100'000, 'x'),
                                   std::string("PK\x05\x06 of another"), std::string("PK")}) {
    EXPECT_EQ(contents(good + other), kTwoFound) << other.size();
    EXPECT_EQ(contents(other + good), kTwoFound) << other.size();
    EXPECT_EQ(contents(other + good + other), kTwoFound) << other.size();
  }
  for (std::size_t length = 0; length < good.size(); ++length)
    EXPECT_THROW(contents(good.substr(0, length)), Error) << length;
  EXPECT_THROW(contents(std::string(1 << 20, 'P')), Error);
}

TEST(ZipList, CountsMayHaveWrapped) {
  // 65,537 members that the end calls 1.
  std::vector<Member> many(65'537, Member{"n", ""});
  EXPECT_EQ(list_zip(bytes_of(zip(many, {.count = 0})), "x").size(), many.size());
  EXPECT_THROW(list_zip(bytes_of(zip(kTwo, {.count = -1})), "x"), Error);
}

TEST(ZipList, NamesAreOnlyShown) {
  for (const std::string name : {"..\\a", "a\\b.png", "/a", "./a", "a//b", "C:\\a"})
    EXPECT_EQ(contents(zip({{name, "1"}})), Contents{name + ": 1"});
  EXPECT_EQ(contents(zip({{"a", "1"}, {"a", "2"}})), (Contents{"a: 1", "a: 2"}));
  EXPECT_EQ(contents(zip({{"folder\\", ""}, {"folder/", ""}})), Contents{});
  EXPECT_THROW(contents(zip({{std::string("a\0b", 3), ""}})), Error);
}

TEST(ZipList, WhatCannotBeUnpackedCostsItsMemberAlone) {
  const auto one = [](Member member) {
    member.name = "a";
    member.data = "abc";
    return contents(zip({member, {"b", "x"}}));
  };
  for (const auto& [member, reason] : {std::pair{Member{.flags = 1}, "encrypted"},
                                       {Member{.flags = 0x2000}, "encrypted"},
                                       {Member{.method = 99}, "method 99"},
                                       {Member{.method = 93}, "Zstandard"},
                                       {Member{.method = 9}, "Deflate64"},
                                       {Member{.offset_lie = 1}, "directory says"}}) {
    const Contents found = one(member);
    ASSERT_EQ(found.size(), 2u);
    EXPECT_NE(found[0].find(reason), std::string::npos) << found[0];
    EXPECT_EQ(found[1], "b: x");
  }
}

/** A stored member whose sum stands behind it, in both usual forms. */
TEST(ZipList, SumsAreChecked) {
  std::string good = zip({{"a", "abc"}, {"b", "x"}});
  good[good.find("abc")] ^= 1;
  EXPECT_NE(contents(good)[0].find("checksum"), std::string::npos);
  EXPECT_EQ(contents(good)[1], "b: x");
  const auto streamed = [](const std::string& descriptor) {
    std::string bytes = zip({{.name = "a", .data = "abc", .flags = 8}});
    const std::size_t behind = bytes.find("abc") + 3, end = bytes.rfind("PK\x05\x06");
    bytes.replace(14, 4, 4, '\0');  // the sum in front
    bytes.insert(behind, descriptor);
    bytes.replace(end + descriptor.size() + 16, 4, little(behind + descriptor.size(), 4));
    return contents(bytes)[0];
  };
  const std::uint64_t crc = 0x352441C2;  // of "abc"
  const std::string sizes = little(3, 4) + little(3, 4);
  EXPECT_EQ(streamed("PK\x07\x08" + little(crc, 4) + sizes), "a: abc");
  EXPECT_EQ(streamed(little(crc, 4) + sizes), "a: abc");
  EXPECT_NE(streamed("PK\x07\x08" + little(crc + 1, 4) + sizes).find("checksum"),
            std::string::npos);
  EXPECT_NE(streamed(little(crc + 1, 4) + sizes).find("checksum"), std::string::npos);
}

TEST(ZipList, SurvivesDamage) {
  const std::string good = zip(kTwo);
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string damaged = good;
    damaged[i] = static_cast<char>(good[i] ^ 0x81);
    try {
      contents(damaged);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::Format) << error.what();
    }
  }
}

}  // namespace
}  // namespace dino::format
