// Tar shards and zip archives, by other programs (tests/golden/data/make_sources.py), ours,
// hostile.
#include <gtest/gtest.h>

#include "dino/base/file.h"
#include "dino/data/sources/bad_image.h"
#include "dino/data/sources/index_cache.h"
#include "dino/data/sources/sources.h"
#include "tests/data/source_folder.h"

namespace dino::data {
namespace {

using Names = std::vector<std::string>;
using Labels = std::vector<std::int64_t>;
using Values = std::vector<int>;

std::string golden(const std::string& name) {
  return DINO_SOURCE_DIR "/tests/golden/data/" + name;
}

BadReason bad_reason(const Dataset& data, std::int64_t index) {
  try {
    data.load(index);
  } catch (const BadImage& error) {
    EXPECT_NE(std::string_view(error.what()).find(data.name(index)), std::string_view::npos)
        << error.what();
    return error.reason();
  }
  ADD_FAILURE() << "loads: " << data.name(index);
  return BadReason::Missing;
}

TEST(TarDataset, ReadsPythonsShard) {
  const auto data = open_dataset(golden("shard.tar"), 1);
  EXPECT_EQ(names_in(*data), (Names{"000000.left.png", "000000.right.png", "000001.png"}));
  EXPECT_EQ(data->class_names(), (Names{"seven", "zero"}));
  EXPECT_EQ(labels_in(*data), (Labels{1, 1, 0}));
  EXPECT_EQ(values_in(*data), (Values{100, 200, 1}));
  EXPECT_EQ(data->name(0), golden("shard.tar") + "#000000.left.png");
}

TEST(TarDataset, InputsChooseMembersOfASample) {
  const auto data = open_dataset(golden("shard.tar"),
                                 {.channels = 1, .inputs = {"right.png", "png"}, .cache = {}});
  EXPECT_EQ(names_in(*data), (Names{"000000.right.png", "000001.png"}));
  says(refusal_of(ErrorKind::Data,
                  [] {
                    open_dataset(golden("shard.tar"),
                                 {.channels = 1, .inputs = {"tif"}, .cache = {}});
                  }),
       "data.inputs");
}

/** The same images give the same data set, however they are packed. */
TEST(TarDataset, ShardsFoldersAndZipsOfTheSameImagesAreTheSame) {
  const SourceFolder temp;
  const Members members = {
      {"b/3.png", png(3)}, {"a.x/1.png", png(1)}, {"b/2.png", png(2)}, {"c/deep/4.png", png(4)}};
  for (const auto& [name, bytes] : members) temp.write("folder/" + name, bytes);
  temp.write("s-00.tar", tar({members[0], members[3]}));
  temp.write("s-01.tar", tar({members[1], members[2]}));
  const auto folder = open_dataset(temp / "folder", 1),
             shards = open_dataset(temp / "s-{00..01}.tar", 1);
  EXPECT_EQ(names_in(*shards), (Names{"a.x/1.png", "b/2.png", "b/3.png", "c/deep/4.png"}));
  EXPECT_EQ(values_in(*shards), (Values{1, 2, 3, 4}));
  EXPECT_EQ(values_in(*folder), values_in(*shards));
  EXPECT_EQ(labels_in(*folder), labels_in(*shards));
  EXPECT_EQ(shards->class_names(), (Names{"a.x", "b", "c"}));
  EXPECT_EQ(folder->class_names(), shards->class_names());
}

TEST(TarDataset, FoldersAllShareNameNoClass) {
  const SourceFolder temp;
  const auto data = open_dataset(
      temp.write("a.tar", tar({{"set/train/b/1.png", png(1)}, {"set/train/a/2.png", png(2)}})), 1);
  EXPECT_EQ(data->class_names(), (Names{"a", "b"}));
}

TEST(TarDataset, DamageCostsOnlyWhatIsBehindIt) {
  const SourceFolder temp;
  const std::string good = tar({{"1.png", png(1)}, {"2.png", png(2)}, {"3.png", png(3)}});
  temp.write("s-0.tar", good);
  std::string broken = good;
  broken[1024 + 10] ^= 0x55;  // the second header
  temp.write("s-1.tar", broken);
  temp.write("s-2.tar", std::string_view(good).substr(0, 1024 + 512 + 20));  // within the second
  temp.write("s-3.tar", "");
  temp.write("s-4.tar", "this is no tar archive, but somebody named it so");
  const auto data = open_dataset(temp / "s-{0..4}.tar", 1);
  ASSERT_EQ(names_in(*data), (Names{"1.png", "1.png", "1.png", "2.png", "2.png", "3.png",
                                    "~damaged", "~damaged", "~damaged", "~damaged"}));
  for (const std::int64_t index : {0, 1, 2, 3, 5}) EXPECT_NO_THROW(data->load(index)) << index;
  for (const std::int64_t index : {4, 6, 7, 8, 9})
    EXPECT_EQ(bad_reason(*data, index), BadReason::Truncated) << index;
  says(refusal_of(ErrorKind::Data, [&] { open_dataset(temp / "s-4.tar", 1); }), "holds no images");
}

TEST(TarDataset, OfNothingReadableOpensAllTheSame) {
  const SourceFolder temp;
  std::string bytes = tar({{"photographs/cats/1.jpg", "x"}, {"photographs/cats/1.cls", ""}});
  bytes.resize(4 * 512);  // without the end mark
  temp.write("a.tar", bytes + std::string(512, '\x55'));
  const auto data = open_dataset(temp / "a.tar", 1);
  for (std::int64_t i = 0; i < data->size(); ++i) EXPECT_THROW(data->load(i), Error);
}

TEST(TarDataset, TruncatedFilesOfNewerKindsAreSaidToBe) {
  const SourceFolder temp;
  const auto half = [](const std::string& name) {
    const auto bytes = read_file(DINO_SOURCE_DIR "/tests/golden/image/" + name);
    return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size() * 3 / 4);
  };
  const auto data =
      open_dataset(temp.write("a.tar", tar({{"a.png", half("modern/lossless.jxl")},
                                            {"b.png", half("modern/lossless.jp2")},
                                            {"c.png", half("dicom/bits16.dcm")},
                                            {"d.png", half("dicom/lossless8.dcm")},
                                            {"e.png", half("modern/lossy444.heic")}})),
                   1);
  for (std::int64_t i = 0; i < 4; ++i) EXPECT_EQ(bad_reason(*data, i), BadReason::Truncated) << i;
  EXPECT_EQ(bad_reason(*data, 4), BadReason::Corrupt);  // libheif does not tell
}

TEST(TarDataset, EveryKindOfBadMemberHasItsReason) {
  const SourceFolder temp;
  std::string corrupt = png(5);
  corrupt[corrupt.size() / 2] ^= 0x55;
  const auto data = open_dataset(temp.write("a.tar", tar({{"a.png", ""},
                                                          {"b.png", "text"},
                                                          {"c.png", png(5).substr(0, 50)},
                                                          {"d.png", corrupt},
                                                          {"e.png", png(5)}})),
                                 1);
  EXPECT_EQ(bad_reason(*data, 0), BadReason::Empty);
  EXPECT_EQ(bad_reason(*data, 1), BadReason::NotAnImage);
  EXPECT_EQ(bad_reason(*data, 2), BadReason::Truncated);
  EXPECT_EQ(bad_reason(*data, 3), BadReason::Corrupt);
  EXPECT_NO_THROW(data->load(4));
}

TEST(TarDataset, AShardThatVanishesStopsTheRun) {
  const SourceFolder temp;
  const auto data = open_dataset(temp.write("a.tar", tar({{"1.png", png(1)}})), 1);
  std::filesystem::remove(temp / "a.tar");
  says(refusal_of(ErrorKind::Data, [&] { data->load(0); }), "a.tar");
}

TEST(TarDataset, WhatIsMissingOrNotATarSaysSo) {
  const SourceFolder temp;
  temp.write("s-0.tar", tar({{"1.png", png(1)}}));
  says(refusal_of(ErrorKind::Io, [&] { open_dataset(temp / "s-{0..1}.tar", 1); }), "s-1.tar");
  says(refusal_of(ErrorKind::Data,
                  [&] {
                    open_dataset(temp.write("z.tar", gzipped(tar({{"1.png", png(1)}}))), 1);
                  }),
       ".tar.gz");
  says(refusal_of(ErrorKind::Data, [&] { open_dataset(temp / "s.tar.gz", 1); }), "stream");
  says(refusal_of(ErrorKind::Data, [&] { open_dataset("pipe:true", 1); }), "stream");
}

TEST(TarDataset, TheIndexIsKeptUntilAShardChanges) {
  const SourceFolder temp;
  const std::string shard = temp.write("a.tar", tar({{"1.png", png(1)}, {"1.cls", "x"}}));
  const SourceOptions options{.channels = 1, .inputs = {}, .cache = temp.path() / "cache"};
  const auto kept = [&] {
    return std::filesystem::exists(options.cache) && !std::filesystem::is_empty(options.cache);
  };
  while (!kept()) open_dataset(shard, options);  // a file just written is not trusted yet
  const auto again = open_dataset(shard, options);
  EXPECT_EQ(names_in(*again), Names{"1.png"});
  EXPECT_EQ(again->class_names(), Names{"x"});
  EXPECT_EQ(values_in(*again), Values{1});
  temp.write("a.tar", tar({{"2.png", png(2)}}));
  EXPECT_EQ(values_in(*open_dataset(shard, options)), Values{2});
}

TEST(ZipDataset, ReadsPythonsArchives) {
  const auto folders = open_dataset(golden("folders.zip"), 1);
  EXPECT_EQ(names_in(*folders), (Names{"set/cats/2.png", "set/dogs/1.png"}));
  EXPECT_EQ(folders->class_names(), (Names{"cats", "dogs"}));
  EXPECT_EQ(values_in(*folders), (Values{2, 1}));
  const auto streamed = open_dataset(golden("streamed.zip"), 3);
  EXPECT_EQ(streamed->class_names(), (Names{"1", "2"}));
  EXPECT_EQ(labels_in(*streamed), (Labels{0, 1}));
  EXPECT_EQ(values_in(*streamed), (Values{10, 20}));
}

TEST(ZipDataset, DamageIsFoundAndNothingWorse) {
  const SourceFolder temp;
  for (const char* name : {"folders.zip", "streamed.zip"}) {
    const std::string good = read_text_file(golden(name));
    std::string damaged = good;
    for (std::size_t i = 0; i < good.size(); i += 5) {
      damaged[i] = static_cast<char>(good[i] ^ 0x41);
      const std::string path = temp.write("damaged.zip", damaged);
      damaged[i] = good[i];
      try {
        const auto data = open_dataset(path, 1);
        for (std::int64_t index = 0; index < data->size(); ++index) try {
            data->load(index);
          } catch (const Error& error) {
            EXPECT_EQ(error.kind(), ErrorKind::Format) << error.what();
          }
      } catch (const Error& error) {
        EXPECT_TRUE(error.kind() == ErrorKind::Format || error.kind() == ErrorKind::Data)
            << error.what();
      }
    }
  }
}

TEST(ArchiveIndex, HoldsAtMost24BytesAnImageBeyondItsName) {
  SourceIndex index;
  for (int i = 0; i < 1000; ++i) {
    index.items.add("name" + std::to_string(i), std::to_string(i % 10));
    index.where.push_back(0);
    index.sizes.push_back(0);
  }
  index.items.seal();
  const std::size_t places =
      index.where.size() * sizeof(index.where[0]) + index.sizes.size() * sizeof(index.sizes[0]);
  EXPECT_LE(index.items.bytes_beyond_names() - 1000 + places, 24u * 1000);
}

}  // namespace
}  // namespace dino::data
