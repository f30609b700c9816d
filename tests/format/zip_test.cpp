#include "dino/format/zip.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dino/base/mapped_file.h"
#include "dino/base/unique_fd.h"
#include "tests/format/hostile.h"
#include "tests/format/torch_builder.h"
#include "tests/temp_dir.h"

namespace dino::format {
namespace {

using build::EndLies;
using build::little;
using build::Member;
using build::zip;

std::string written(const std::vector<std::pair<std::string, std::string>>& members) {
  std::string file;
  const ZipWriter::Sink sink = [&](auto bytes) { file += text_of(bytes); };
  ZipWriter writer(sink);
  for (const auto& [name, data] : members) writer.add(name, bytes_of(data));
  writer.finish();
  return file;
}

TEST(Zip, RoundTrip) {
  const std::string file = written({{"a/one", "1"}, {"a/empty", ""}, {"Ω", std::string(500, 'x')}});
  const auto members = read_stored_zip(bytes_of(file), "x");
  ASSERT_EQ(members.size(), 3u);
  EXPECT_EQ(members[0].name, "a/one");
  EXPECT_EQ(text_of(members[0].bytes), "1");
  EXPECT_TRUE(members[1].bytes.empty());
  EXPECT_EQ(text_of(members[2].bytes), std::string(500, 'x'));
  for (const ZipMember& member : members) {
    EXPECT_EQ((member.bytes.data() - bytes_of(file).data()) % 64, 0);
  }
  EXPECT_TRUE(read_stored_zip(bytes_of(written({})), "x").empty());
}

TEST(Zip, MoreMembersThanSixteenBitsCount) {
  std::vector<std::pair<std::string, std::string>> many;
  for (int i = 0; i < 70'000; ++i) many.emplace_back(std::to_string(i), "");
  const std::string file = written(many);
  EXPECT_NE(file.find("PK\x06\x06"), file.npos);
  EXPECT_EQ(read_stored_zip(bytes_of(file), "x").size(), 70'000u);
}

// A file of more than 4 GiB, of which the disk holds only the headers.
TEST(ZipSlow, SizesBeyondFourGigabytes) {
  const std::size_t large = (std::size_t{4} << 30) + 5;
  void* const zeros =
      ::mmap(nullptr, large, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  ASSERT_NE(zeros, MAP_FAILED);
  const std::span<const std::byte> data(static_cast<const std::byte*>(zeros), large);
  test::TempDir dir;
  {
    const UniqueFd file(::open((dir / "a").c_str(), O_WRONLY | O_CREAT | O_EXCL, 0600));
    off_t position = 0;
    const ZipWriter::Sink sink = [&](std::span<const std::byte> bytes) {
      if (bytes.data() != zeros) {
        ASSERT_EQ(::pwrite(file.get(), bytes.data(), bytes.size(), position),
                  static_cast<ssize_t>(bytes.size()));
      }
      position += static_cast<off_t>(bytes.size());
    };
    ZipWriter writer(sink);
    writer.add("large", data);
    writer.add("behind", bytes_of("text"));
    writer.finish();
  }
  ::munmap(zeros, large);
  const MappedFile file = map_file(dir / "a");
  const auto members = read_stored_zip(file.bytes, "x");
  EXPECT_EQ(members.at(0).bytes.size(), large);
  EXPECT_EQ(text_of(members.at(1).bytes), "text");
}

TEST(Zip, NumbersInZip64Fields) {
  const std::string extra = little(0x4246, 2) + little(2, 2) + "ZZ" + little(1, 2) + little(24, 2) +
                            little(3, 8) + little(3, 8) + little(0, 8);
  const std::string file = zip({{.name = "a", .data = "abc", .extra = extra, .all_in_64 = true}});
  EXPECT_EQ(text_of(read_stored_zip(bytes_of(file), "x").at(0).bytes), "abc");
}

// ---- Hostile archives ---------------------------------------------------------------------------

void expect_refused_zip(const std::string& file, std::string_view reason) {
  SCOPED_TRACE(reason);
  expect_refused([&] { read_stored_zip(bytes_of(file), "hostile.bin"); }, reason);
}

TEST(ZipHostile, TheGoodArchiveIsGood) {
  EXPECT_EQ(read_stored_zip(bytes_of(zip({{"a", "abc"}, {"b/c", ""}})), "x").size(), 2u);
}

TEST(ZipHostile, Ends) {
  const std::vector<Member> good = {{"a", "abc"}};
  expect_refused_zip("", "without its end");
  expect_refused_zip(std::string(100'000, 'P'), "without its end");
  expect_refused_zip(zip(good, {.after = "x"}), "without its end");
  expect_refused_zip(zip(good, {.count = 1}), "claims 2 members");
  expect_refused_zip(zip({{"a", "abc"}, {"b", ""}}, {.count = -1}), "holds more than it says");
  expect_refused_zip(zip({}, {.count = 65535}), "claims 65535 members");
  expect_refused_zip(zip(good, {.bytes = 1}), "not where the end record says");
  expect_refused_zip(zip(good, {.bytes = -1}), "not where the end record says");
  expect_refused_zip(zip(good, {.offset = 1}), "not where the end record says");
  expect_refused_zip(zip(good, {.bytes = 1, .offset = -1}), "no directory entry");
  expect_refused_zip(zip(good, {.offset = 0x7FFFFFFF}), "not where the end record says");
  expect_refused_zip(zip(good, {.disk = 1}), "several disks");
  expect_refused_zip(zip(good, {.before = "x"}), "not where the end record says");
}

TEST(ZipHostile, Ends64) {
  const std::vector<Member> good = {{"a", "abc"}};
  const auto locator = [](std::uint64_t at) {
    return std::string("PK\x06\x07") + little(0, 4) + little(at, 8) + little(1, 4);
  };
  const auto end64 = [](std::uint64_t count, std::uint64_t bytes, std::uint64_t offset,
                        std::uint64_t disk = 0) {
    return std::string("PK\x06\x06") + little(44, 8) + little(45, 2) + little(45, 2) +
           little(disk, 8) + little(count, 8) + little(count, 8) + little(bytes, 8) +
           little(offset, 8);
  };
  const std::uint64_t directory = 34, bytes = 47, at = directory + bytes;  // as `good` has them
  EXPECT_NO_THROW(read_stored_zip(
      bytes_of(zip(good, {.before = end64(1, bytes, directory) + locator(at)})), "x"));
  expect_refused_zip(zip(good, {.before = locator(0)}), "no ZIP64 end record");
  expect_refused_zip(zip(good, {.before = locator(UINT64_MAX)}), "leaves the file");
  expect_refused_zip(zip(good, {.before = locator(UINT64_MAX - 20)}), "leaves the file");
  const auto with = [&](const std::string& record) {
    return zip(good, {.before = record + locator(at)});
  };
  expect_refused_zip(with(end64(UINT64_MAX, bytes, directory)), "claims 18446744073709551615");
  expect_refused_zip(with(end64(1ull << 60, bytes, directory)), "members in a directory of");
  expect_refused_zip(with(end64(1, UINT64_MAX, directory)), "not where");
  expect_refused_zip(with(end64(1, bytes, UINT64_MAX)), "not where");
  expect_refused_zip(with(end64(1, bytes, directory, 1)), "several disks");
}

TEST(ZipHostile, Names) {
  for (const std::string name :
       {"../a", "/a", "a/../b", "a/..", "./a", "a//b", "a/", "", "..\\a", "C:\\a"}) {
    expect_refused_zip(zip({{name, ""}}), "cannot name a member");
  }
  expect_refused_zip(zip({{std::string("a\0b", 3), ""}}), "cannot name a member");
  expect_refused_zip(zip({{"a", "1"}, {"a", "2"}}), "two members 'a'");
  expect_refused_zip(zip({{.name = "a", .data = "", .local_name = "b"}}), "differs");
  expect_refused_zip(zip({{std::string(60'000, '/'), ""}}), "cannot name a member");
}

TEST(ZipHostile, Members) {
  const auto with = [](Member member) {
    member.name = "a";
    member.data = "abc";
    return zip({member});
  };
  expect_refused_zip(with({.method = 8}), "compressed (method 8)");
  expect_refused_zip(with({.method = 99}), "compressed (method 99)");
  expect_refused_zip(with({.flags = 1}), "encrypted");
  expect_refused_zip(with({.flags = 0x2000}), "encrypted");
  expect_refused_zip(with({.compressed_lie = 1}), "two sizes");
  expect_refused_zip(with({.compressed_lie = -3}), "two sizes");
  expect_refused_zip(with({.local_size_lie = -1}), "two sizes");
  expect_refused_zip(with({.size_lie = 1, .local_size_lie = 1}), "runs into the directory");
  expect_refused_zip(with({.size_lie = 0x7FFFFFFF, .local_size_lie = 0x7FFFFFFF}), "runs into");
  expect_refused_zip(with({.offset_lie = 1}), "no member at byte 1");
  expect_refused_zip(with({.offset_lie = 34}), "no member");
  expect_refused_zip(with({.offset_lie = 0x7FFFFFFF}), "leaves the file");
}

TEST(ZipHostile, Overlaps) {
  // The second entry leads to the first member's header, or to one within its data.
  const std::string inner = zip({{"b", "x"}}).substr(0, 32);
  const std::string outer = zip({{"a", inner}, {.name = "b", .data = "x", .offset_lie = -32}});
  expect_refused_zip(outer, "member 'b' overlaps 'a'");
  expect_refused_zip(zip({{"b", "x"}, {.name = "b", .data = "x", .offset_lie = -32}}),
                     "two members");
  expect_refused_zip(
      zip({{.name = "a", .data = "x", .size_lie = 20, .local_size_lie = 20}, {"b", ""}}),
      "member 'b' overlaps 'a'");
}

TEST(ZipHostile, Zip64Fields) {
  const auto with = [](const std::string& extra) {
    return zip({{.name = "a", .data = "abc", .extra = extra, .all_in_64 = true}});
  };
  const auto field = [](std::vector<std::uint64_t> numbers) {
    std::string body = little(1, 2) + little(8 * numbers.size(), 2);
    for (const std::uint64_t number : numbers) body += little(number, 8);
    return body;
  };
  expect_refused_zip(with(""), "lacks its ZIP64 size");
  expect_refused_zip(with("\x01"), "lacks its ZIP64 size");
  expect_refused_zip(with(field({3})), "lacks its ZIP64 size");
  expect_refused_zip(with(little(1, 2) + little(24, 2)), "lacks its ZIP64 size");
  expect_refused_zip(with(field({UINT64_MAX, UINT64_MAX, 0})), "two sizes");
  expect_refused_zip(with(field({3, 3, UINT64_MAX})), "leaves the file");
  expect_refused_zip(with(field({3, 3, UINT64_MAX - 30})), "leaves the file");
}

TEST(ZipHostile, EveryCutAndEveryChangedByte) {
  expect_survives_damage(written({{"a/data.pkl", "12345"}, {"a/b", std::string(70, 'x')}}),
                         [](auto bytes) { read_stored_zip(bytes, "hostile.bin"); });
}

}  // namespace
}  // namespace dino::format
