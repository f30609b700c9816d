// The same images give the same batches, bit for bit, however they are stored: a folder, a list, an
// archive, a raw pack, an array. Small ones made here; the slow tests take real collections and the
// programs people make archives with.
#include <gtest/gtest.h>

#include <array>
#include <cstdlib>

#include "dino/base/rng.h"
#include "dino/data/loading/loader.h"
#include "dino/data/pack.h"
#include "tests/data/source_folder.h"

namespace dino::data {
namespace {

namespace fs = std::filesystem;
using Names = std::vector<std::string>;

/** A PNG of red, green, blue and alpha, not compressed. */
std::string alpha_png(const image::Image& rgba) {
  const auto big_endian = [](std::uint32_t value) {
    std::string text;
    for (int shift = 24; shift >= 0; shift -= 8) text += static_cast<char>(value >> shift);
    return text;
  };
  const auto chunk = [&](const std::string& type, const std::string& data) {
    const std::string body = type + data;
    return big_endian(static_cast<std::uint32_t>(data.size())) + body +
           big_endian(format::crc32_of(std::as_bytes(std::span(body))));
  };
  std::string rows;
  for (int y = 0; y < rgba.height; ++y) {
    rows += '\0';  // no filter
    rows.append(reinterpret_cast<const char*>(rgba.row(y)), rgba.row_bytes());
  }
  std::uint32_t a = 1, b = 0;  // Adler-32
  for (const char c : rows) {
    a = (a + static_cast<unsigned char>(c)) % 65521;
    b = (b + a) % 65521;
  }
  const auto size = static_cast<std::uint16_t>(rows.size());
  std::string packed = "\x78\x01\x01";  // one stored block
  for (const int byte : {size & 0xFF, size >> 8, ~size & 0xFF, ~size >> 8 & 0xFF})
    packed += static_cast<char>(byte);
  packed += rows + big_endian(b << 16 | a);
  const std::string head = big_endian(static_cast<std::uint32_t>(rgba.width)) +
                           big_endian(static_cast<std::uint32_t>(rgba.height)) +
                           std::string("\x08\x06\0\0\0", 5);
  return "\x89PNG\r\n\x1A\n" + chunk("IHDR", head) + chunk("IDAT", packed) + chunk("IEND", "");
}

image::Image noise(int width, int height, std::uint64_t seed) {
  image::Image rgba(width, height, 4);
  Rng rng(seed, 0, 0, 0);
  for (auto& sample : rgba.pixels) sample = static_cast<std::uint8_t>(rng.below(256));
  return rgba;
}

/** Everything in the first batches of a seed. */
std::vector<float> first_batches(const Dataset& data, int channels, int count) {
  MultiCropOptions crops;
  crops.global_size = 32;
  crops.local_size = 16;
  crops.local_count = 2;
  const auto each = static_cast<std::size_t>(channels);
  crops.mean.assign(each, 0.5);
  crops.std.assign(each, 0.25);
  Loader loader(data, crops, {.batch_size = 4, .channels = channels, .seed = 7, .workers = 2});
  std::vector<float> all;
  for (int i = 0; i < count; ++i) {
    const CropBatch batch = loader.next();
    all.insert(all.end(), batch.indices.begin(), batch.indices.end());
    for (const AlignedBuffer* crop : {&batch.globals, &batch.locals})
      all.insert(all.end(), crop->data(), crop->data() + crop->size());
  }
  EXPECT_EQ(loader.stats().bad_count, 0);
  return all;
}

/** `other` has the images, names and labels of `data`. */
void expect_same(const Dataset& data, const Dataset& other, int batches) {
  ASSERT_EQ(other.size(), data.size());
  EXPECT_EQ(other.class_names(), data.class_names());
  EXPECT_EQ(labels_in(other), labels_in(data));
  EXPECT_EQ(first_batches(other, 3, batches), first_batches(data, 3, batches));
}

/** A folder's names below it, and those within an archive. */
Names inner_names(const Dataset& data, const std::string& prefix) {
  Names names;
  for (std::int64_t i = 0; i < data.size(); ++i) {
    const std::string name = data.name(i);
    names.push_back(name.starts_with(prefix) ? name.substr(prefix.size()) : name);
  }
  return names;
}

TEST(Sources, OfImagesWithAlphaGiveTheSameBatches) {
  const SourceFolder temp;
  Members members;
  std::string list;
  for (int i = 0; i < 12; ++i) {  // not in the order of their names
    // "a-b/" sorts before "a/", as whole paths do.
    const std::string folder = std::array{"b", "a/deep", "a-b"}[static_cast<std::size_t>(i % 3)];
    const std::string name = fmt::format("{}/{:02}.png", folder, 11 - i);
    members.emplace_back(name, alpha_png(noise(20 + i, 31 - i, static_cast<std::uint64_t>(i))));
    temp.write("folder/" + name, members.back().second);
  }
  fs::rename(temp / "folder/a/deep/01.png", temp / "elsewhere.png");
  fs::create_symlink(temp / "elsewhere.png", temp / "folder/a/deep/01.png");
  const auto folder = open_dataset(temp / "folder", 3);
  const Names names = inner_names(*folder, temp / "folder/");
  EXPECT_EQ(names.front(), "a-b/00.png");
  for (const std::string& name : names)
    list += fmt::format("folder/{}\t{}\n", name, name.substr(0, name.find('/')));
  temp.write("shard.tar", tar(members));
  temp.write("archive.zip", zip(members));
  temp.write("list.txt", list);
  ThreadPool pool(0);
  pack(*folder, "folder", temp / "pack", {.size = 0, .quality = 90, .raw = true, .shard_images = 5},
       pool, {}, {});
  for (const std::string& source : {temp / "shard.tar", temp / "archive.zip", temp / "list.txt",
                                    shard_pattern(temp / "pack", 3)}) {
    SCOPED_TRACE(source);
    expect_same(*folder, *open_dataset(source, 3), 3);
  }
  EXPECT_EQ(inner_names(*open_dataset(temp / "shard.tar", 3), temp / "shard.tar#"), names);
}

/** Runs a command of the system; false if it fails or is not there. */
bool runs(const std::string& command) {
  return std::system(command.c_str()) == 0;
}

/** 8,121 images of 0.7 million px, most with alpha or palettes, a seventh of them links. */
TEST(SourcesSlow, ClipartIsTheSameFromFolderTarZipAndPack) {
  const fs::path clipart = "/usr/share/openclipart/png";
  if (!fs::is_directory(clipart) || !runs("zip --version > /dev/null 2>&1"))
    GTEST_SKIP() << "needs Debian's packages openclipart-png and zip";
  const SourceFolder temp;
  const auto folder = open_dataset(clipart, 3);
  const Names names = inner_names(*folder, clipart.native() + "/");
  EXPECT_GT(folder->size(), 6900);
  const std::string tar_file = temp / "clipart.tar", zip_file = temp / "clipart.zip";
  ASSERT_TRUE(runs(fmt::format("tar --hard-dereference --dereference -cf '{}' -C '{}' .", tar_file,
                               clipart.native())));
  const auto shard = open_dataset(tar_file, 3);
  expect_same(*folder, *shard, 4);
  EXPECT_EQ(inner_names(*shard, tar_file + "#"), names);
  ASSERT_TRUE(runs(fmt::format("cd '{}' && zip -q -r -1 '{}' .", clipart.native(), zip_file)));
  const auto archive = open_dataset(zip_file, 3);
  expect_same(*folder, *archive, 4);
  EXPECT_EQ(inner_names(*archive, zip_file + "#"), names);
  // Raw and at full size a pack of all would take 16 GB.
  std::vector<std::int64_t> some(150);
  for (std::size_t i = 0; i < some.size(); ++i)
    some[i] =
        static_cast<std::int64_t>(i) * folder->size() / static_cast<std::int64_t>(some.size());
  const auto part = subset(*folder, some);
  ThreadPool pool(1);
  const PackReport report =
      pack(*part, "clipart", temp / "pack",
           {.size = 0, .quality = 90, .raw = true, .shard_images = 60}, pool, {}, {});
  EXPECT_TRUE(report.bad.empty());
  const auto packed = open_dataset(shard_pattern(temp / "pack", report.shards), 3);
  EXPECT_EQ(first_batches(*packed, 3, 8), first_batches(*part, 3, 8));
  for (std::int64_t i = 0; i < part->size(); ++i) {
    ASSERT_EQ(packed->load(i), part->load(i)) << part->name(i);
    EXPECT_EQ(packed->class_names().at(static_cast<std::size_t>(packed->label(i))),
              part->class_names().at(static_cast<std::size_t>(part->label(i))));
  }
}

TEST(SourcesSlow, FashionMnistIsTheSameFromIdxAndFromPngs) {
  const fs::path images = "/usr/share/datasets/fashion-mnist/t10k-images-idx3-ubyte.gz";
  if (!fs::exists(images)) GTEST_SKIP() << "needs Debian's package dataset-fashion-mnist";
  const SourceFolder temp;
  const auto array = open_dataset(images, 1);
  Members members;
  for (std::int64_t i = 0; i < array->size(); ++i) {
    const std::string key = fmt::format("{:05}", i);
    members.emplace_back(key + ".png", text_of(image::encode_png(array->load(i))));
    members.emplace_back(key + ".cls", std::to_string(array->label(i)));
    temp.write("folder/" + members[members.size() - 2].first, members[members.size() - 2].second);
  }
  const std::string shard = temp.write("shard.tar", tar(members));
  for (const int channels : {1, 3}) {
    const auto idx = open_dataset(images, channels);
    const auto expected = first_batches(*idx, channels, 20);
    for (const std::string& source : {shard, temp / "folder"}) {
      SCOPED_TRACE(source);
      EXPECT_EQ(first_batches(*open_dataset(source, channels), channels, 20), expected);
    }
    const auto pngs = open_dataset(shard, channels);
    EXPECT_EQ(pngs->class_names(), idx->class_names());
    EXPECT_EQ(labels_in(*pngs), labels_in(*idx));
  }
}

}  // namespace
}  // namespace dino::data
