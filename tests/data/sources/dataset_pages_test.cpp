// TIFF files of several pages: each page is an image, wherever the file lies.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "dino/base/rng.h"
#include "dino/data/pack.h"
#include "dino/data/sources/bad_image.h"
#include "dino/data/sources/image_stream.h"
#include "dino/data/sources/index_cache.h"
#include "dino/data/survey.h"
#include "tests/data/source_folder.h"
#include "tests/image/tiff_file.h"

namespace dino::data {
namespace {

using Names = std::vector<std::string>;
using Labels = std::vector<std::int64_t>;
using Values = std::vector<int>;
using test::tiff;

const Members kMembers = {{"a/1.png", png(1)},
                          {"a/2.TIF", tiff({20, 21, 22})},
                          {"b/3.tiff", tiff({30})},
                          {"b/4.tif", tiff({40, 41})},
                          {"c/5.png", png(5)}};
const Names kNames = {"a/1.png",  "a/2.TIF#0", "a/2.TIF#1", "a/2.TIF#2",
                      "b/3.tiff", "b/4.tif#0", "b/4.tif#1", "c/5.png"};
const Values kValues = {1, 20, 21, 22, 30, 40, 41, 5};
const Labels kLabels = {0, 0, 0, 0, 1, 1, 1, 2};

/** Names below `folder`, or behind the "#" of an archive. */
Names names_below(const Dataset& data, const std::string& folder) {
  Names names;
  for (std::int64_t i = 0; i < data.size(); ++i)
    names.push_back(data.name(i).substr(folder.size() + 1));
  return names;
}

TEST(Pages, AreImagesOfEverySource) {
  const SourceFolder temp;
  std::string list;
  for (const auto& [name, bytes] : kMembers) {
    temp.write("folder/" + name, bytes);
    list += fmt::format("folder/{}\t{}\n", name, name[0]);
  }
  temp.write("list.txt", list);
  temp.write("shard.tar", tar(kMembers));
  temp.write("archive.zip", zip(kMembers));
  for (const auto& [source, folder] :
       {std::pair("folder", "folder"), std::pair("list.txt", "folder"),
        std::pair("shard.tar", "shard.tar"), std::pair("archive.zip", "archive.zip")}) {
    SCOPED_TRACE(source);
    const auto data = open_dataset(temp / source, 1);
    EXPECT_EQ(names_below(*data, temp / folder), kNames);
    EXPECT_EQ(values_in(*data), kValues);
    EXPECT_EQ(labels_in(*data), kLabels);
    EXPECT_EQ(data->class_names(), (Names{"a", "b", "c"}));
    EXPECT_EQ(data->load_wide(6).plane(0)[0], 41.0F / 255);
  }
}

TEST(Pages, AreImagesOfAStream) {
  const SourceFolder temp;
  const std::string shard = temp.write("s.tar.gz", gzipped(tar(kMembers)));
  const ImageStream stream(shard, {.channels = 1, .inputs = {}});
  const auto data = first_images(stream, 100);
  EXPECT_EQ(names_below(*data, shard), kNames);
  EXPECT_EQ(values_in(*data), kValues);
  EXPECT_EQ(names_in(*first_images(stream, 3)), (Names{"a/1.png", "a/2.TIF#0", "a/2.TIF#1"}));
}

TEST(Pages, OfAStreamThatAreDamagedAreReported) {
  const SourceFolder temp;
  std::string damaged = tiff({1, 2, 3});
  damaged.replace(8 + 2 + 12 * 5 + 8, 4, test::little_endian(0xFFFFFF, 4));  // where the strip is
  const std::string shard =
      temp.write("s.tar.gz", gzipped(tar({{"a.tif", damaged}, {"b.png", png(9)}})));
  const Names all_inputs;
  Names bad;
  const BadSink sink = [&](const std::string& name, const Error& error) {
    EXPECT_EQ(reason_of(error), BadReason::Truncated);
    bad.push_back(name.substr(shard.size()));
  };
  ShardReader reader(shard, all_inputs, {}, sink);
  Names good;
  while (const auto image = reader.next()) good.push_back(image->name.substr(shard.size()));
  EXPECT_EQ(good, (Names{"#a.tif#1", "#a.tif#2", "#b.png"}));
  EXPECT_EQ(bad, Names{"#a.tif#0"});
}

TEST(Pages, BrokenFilesAreOneBadImage) {
  const SourceFolder temp;
  const std::string good = tiff({1, 2, 3});
  const Members members = {{"cut.tif", good.substr(0, good.size() - 30)},  // within the last page
                           {"empty.tif", ""},
                           {"head.tif", good.substr(0, 8)},
                           {"text.tif", "no picture"}};
  for (const auto& [name, bytes] : members) temp.write("folder/" + name, bytes);
  ASSERT_EQ(::mkfifo((temp / "folder/pipe.tif").c_str(), 0600), 0);
  temp.write("shard.tar", tar(members));
  temp.write("archive.zip", zip(members));
  for (const char* source : {"folder", "shard.tar", "archive.zip"}) {
    SCOPED_TRACE(source);
    const auto data = open_dataset(temp / source, 1);
    Names bad;
    Values values;
    for (std::int64_t i = 0; i < data->size(); ++i) try {
        values.push_back(data->load(i).pixels.at(0));
      } catch (const BadImage& error) {
        bad.push_back(fmt::format("{} {}", data->name(i).substr((temp / source).size() + 1),
                                  bad_reason_name(error.reason())));
        says(error.what(), data->name(i));
      }
    EXPECT_EQ(values, (Values{1, 2}));
    Names expected = {"cut.tif#2 truncated", "empty.tif empty", "head.tif corrupt",
                      "text.tif not_an_image"};
    if (data->size() == 7) expected.insert(expected.begin() + 3, "pipe.tif unreadable");
    EXPECT_EQ(bad, expected);
  }
}

TEST(Pages, AFileThatLosesPagesGivesBadImages) {
  const SourceFolder temp;
  const std::string path = temp.write("set/a.tif", tiff({1, 2, 3}));
  const auto data = open_dataset(temp / "set", 1);
  temp.write("set/a.tif", tiff({1}));
  EXPECT_EQ(data->load(0).pixels.at(0), 1);
  says(refusal_of(ErrorKind::Format, [&] { data->load(2); }),
       "there is no page 2 (" + path + "#2)");
}

TEST(Pages, AreKeptInTheIndex) {
  const SourceFolder temp;
  temp.write("set/many.tif", tiff({1, 2}));
  temp.write("set/one.tif", tiff({9}));
  const std::string archive = temp.write("a.zip", zip({{"many.tif", tiff({1, 2})}}));
  for (const std::string& source : {temp / "set", archive}) {
    SCOPED_TRACE(source);
    const SourceOptions options{
        .channels = 1, .inputs = {}, .cache = temp / fmt::format("cache{}", source.size())};
    const auto kept = [&] {
      return std::filesystem::exists(options.cache) && !std::filesystem::is_empty(options.cache);
    };
    const Values before = values_in(*open_dataset(source, options));
    while (!kept()) open_dataset(source, options);  // what was just written is not trusted
    EXPECT_EQ(values_in(*open_dataset(source, options)), before);
  }
  const SourceOptions options{
      .channels = 1, .inputs = {}, .cache = temp / fmt::format("cache{}", (temp / "set").size())};
  // A file of one page is not looked at again, one of several is.
  temp.write("set/one.tif", tiff({9, 10}));
  EXPECT_EQ(values_in(*open_dataset(temp / "set", options)), (Values{1, 2, 9}));
  temp.write("set/many.tif", tiff({1, 2, 3}));
  EXPECT_EQ(values_in(*open_dataset(temp / "set", options)), (Values{1, 2, 3, 9, 10}));
}

TEST(Pages, ArePackedOneByOne) {
  const SourceFolder temp;
  const std::string shard = temp.write("s.tar", tar(kMembers));
  const auto data = open_dataset(shard, 1);
  ThreadPool pool(0);
  const PackReport report =
      pack(*data, shard, temp / "pack", {.size = 0, .quality = 90, .raw = true}, pool, {}, {});
  EXPECT_EQ(report.images, 8);
  const auto packed = open_dataset(shard_pattern(temp / "pack", 1), 1);
  EXPECT_EQ(values_in(*packed), kValues);
  EXPECT_EQ(labels_in(*packed), kLabels);
}

TEST(Pages, AreDuplicatesOfEqualPagesOnly) {
  const SourceFolder temp;
  temp.write("set/a.tif", tiff({1, 2, 3}));
  temp.write("set/b.tif", tiff({7, 2}));
  temp.write("set/c.tif", tiff({3, 3, 4}));
  temp.write("set/hidden.jpg", tiff({5, 6}));
  const auto data = open_dataset(temp / "set", 1);
  ThreadPool pool(0);
  const Survey found = survey(*data, {}, pool);
  EXPECT_EQ(found.images, 9);
  EXPECT_EQ(found.formats.at("tiff"), 9);
  EXPECT_EQ(found.with_pages, 1);
  std::vector<Names> groups = found.duplicates;
  for (Names& group : groups)
    for (std::string& name : group) name = name.substr((temp / "set/").size());
  EXPECT_EQ(groups,
            (std::vector<Names>{{"a.tif#1", "b.tif#1"}, {"a.tif#2", "c.tif#0", "c.tif#1"}}));
}

TEST(ItemTable, SamplesAreThePagesOfItems) {
  Rng rng(1, 0, 0, 0);
  for (int round = 0; round < 50; ++round) {
    ItemTable items;
    std::vector<std::pair<std::int64_t, int>> expected;
    for (std::int64_t i = 0; i < 20; ++i) {
      const int pages = rng.below(2) == 0 ? 1 : 1 + static_cast<int>(rng.below(4));
      items.add("x", "", pages);
      for (int page = 0; page < pages; ++page) expected.emplace_back(i, pages == 1 ? -1 : page);
    }
    items.seal();
    ASSERT_EQ(items.size(), 20);
    ASSERT_EQ(items.samples(), static_cast<std::int64_t>(expected.size()));
    for (std::size_t i = 0; i < expected.size(); ++i) {
      const auto sample = items.sample(static_cast<std::int64_t>(i));
      EXPECT_EQ(std::pair(sample.item, sample.page), expected[i]);
    }
  }
}

TEST(ItemTable, HoldsAtMost24BytesAFileHoweverManyPages) {
  ItemTable items;
  for (int i = 0; i < 1000; ++i) items.add("name" + std::to_string(i), "x", 50);
  items.seal();
  EXPECT_LE(items.bytes_beyond_names(), 24u * 1000);
}

}  // namespace
}  // namespace dino::data
