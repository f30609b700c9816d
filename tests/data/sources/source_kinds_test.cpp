// What people have: archives within archives, sparse members, zips of other programs, files without
// extensions, one image, pictures of kinds that are not read.
#include <gtest/gtest.h>

#include <map>

#include "dino/base/file.h"
#include "tests/data/source_folder.h"

namespace dino::data {
namespace {

using Names = std::vector<std::string>;
using Labels = std::vector<std::int64_t>;
using Values = std::vector<int>;

std::string notes_of(const Dataset& data) {
  std::string text;
  for (const SourceNote& note : data.notes()) text += describe(note) + "\n";
  return text;
}

TEST(TarOfTars, IsTheFolderItWouldUnpackTo) {
  const SourceFolder temp;
  const std::string dogs = tar({{"n2_1.JPEG", png(3)}, {"n2_0.JPEG", png(2)}});
  const auto data = open_dataset(
      temp.write("train.tar", tar({{"n2.tar", dogs}, {"n1.tar", tar({{"n1_0.JPEG", png(1)}})}})),
      1);
  EXPECT_EQ(names_in(*data), (Names{"n1/n1_0.JPEG", "n2/n2_0.JPEG", "n2/n2_1.JPEG"}));
  EXPECT_EQ(data->class_names(), (Names{"n1", "n2"}));
  EXPECT_EQ(labels_in(*data), (Labels{0, 1, 1}));
  EXPECT_EQ(values_in(*data), (Values{1, 2, 3}));
  const std::string deep = tar({{"b.tar", tar({{"c.tar", dogs}})}});
  EXPECT_EQ(values_in(*open_dataset(temp.write("deep.tar", deep), 1)), (Values{2, 3}));
}

TEST(TarLinks, AreWhatTheyLeadTo) {
  for (const char* form : {"gnu", "pax"}) {
    SCOPED_TRACE(form);
    const auto data =
        open_dataset(fmt::format(DINO_SOURCE_DIR "/tests/golden/data/links_{}.tar", form), 1);
    std::map<std::string, int> values;
    const Names names = names_in(*data);
    for (std::size_t i = 0; i < names.size(); ++i) values[names[i]] = values_in(*data)[i];
    std::string deep;
    for (int i = 0; i < 25; ++i) deep += "deep/";
    EXPECT_EQ(values, (std::map<std::string, int>{{"a/0.png", 1},
                                                  {"b/0.png", 1},
                                                  {"b/1.png", 2},
                                                  {"c/2.png", 2},
                                                  {"c/3.png", 2},
                                                  {"c/4.png", 3},
                                                  {deep + "long.png", 3}}));
    says(notes_of(*data), "3 links lead to nothing in their archive");
    EXPECT_EQ(data->class_names(), (Names{"a", "b", "c", "deep"}));
  }
}

TEST(TarOfTars, OfNothingSaysSo) {
  const SourceFolder temp;
  const std::string text = refusal_of(ErrorKind::Data, [&] {
    open_dataset(temp.write("a.tar", tar({{"n1.tar", tar({})}, {"n2.tar", tar({})}})), 1);
  });
  says(text, "holds no images; 2 archives within it are empty");
  says(text, "n1/");
}

TEST(TarOfTars, DamageWithinCostsWhatIsBehindItThere) {
  const SourceFolder temp;
  std::string cut = tar({{"1.png", png(1)}, {"2.png", png(2)}});
  cut[1024] ^= 0x11;  // the second header
  const auto data = open_dataset(
      temp.write("a.tar",
                 tar({{"x.tar", cut}, {"y.tar", tar({{"3.png", png(3)}})}, {"z.tar", ""}})),
      1);
  EXPECT_EQ(names_in(*data), (Names{"x/1.png", "y/3.png", "~damaged"}));
  EXPECT_EQ(data->load(1).pixels[0], 3);
  says(notes_of(*data), "x/");
}

TEST(SparseMembers, AreReadAndSoIsWhatFollows) {
  const SourceFolder temp;
  const auto bytes = read_file(DINO_SOURCE_DIR "/tests/golden/data/sparse_images.tar");
  const std::string path = temp.write("a.tar", text_of(bytes));
  const SourceOptions options{.channels = 1, .inputs = {}, .cache = temp.path() / "cache"};
  for (int i = 0; i < 2; ++i) {
    const auto data = open_dataset(path, options);
    EXPECT_EQ(names_in(*data), (Names{"0.png", "1.bmp", "2.png"}));
    EXPECT_EQ(data->load(0).pixels[0], 10);
    const image::Image sparse = data->load(1);
    EXPECT_EQ(sparse.width, 256);
    EXPECT_EQ(sparse.pixels.front(), 0);
    EXPECT_EQ(sparse.row(128)[0], 77);
    EXPECT_EQ(data->load(2).pixels[0], 30);
  }
}

TEST(SparseMembers, WithADamagedMapAreRefusedAlone) {
  const SourceFolder temp;
  std::string bytes = tar({{"0.png", png(1)}, {"1.png", png(2)}, {"2.png", png(3)}});
  const std::size_t header = 512 + (png(1).size() + 511) / 512 * 512;
  bytes[header + 156] = 'M';
  unsigned sum = 0;
  bytes.replace(header + 148, 8, 8, ' ');
  for (std::size_t i = 0; i < 512; ++i) sum += static_cast<unsigned char>(bytes[header + i]);
  bytes.replace(header + 148, 7, fmt::format("{:06o}", sum) + '\0');
  const auto data = open_dataset(temp.write("a.tar", bytes), 1);
  ASSERT_EQ(data->size(), 3);
  EXPECT_EQ(data->load(0).pixels[0], 1);
  EXPECT_THROW(data->load(1), Error);
  EXPECT_EQ(data->load(2).pixels[0], 3);
  says(notes_of(*data), "another volume");
}

TEST(Zips, OfOtherPrograms) {
  const SourceFolder temp;
  const std::string archive = zip({{"dog/1.png", png(1)}, {"cat/0.png", png(2)}});
  std::string windows = archive;
  for (std::size_t at = 0; (at = windows.find("/", at)) != windows.npos; ++at)
    if (windows.substr(at + 2, 4) == ".png") windows[at] = '\\';
  for (const std::string& bytes : {archive, windows, archive + "trailing", "leading" + archive}) {
    const auto data = open_dataset(temp.write("a.zip", bytes), 1);
    EXPECT_EQ(names_in(*data), (Names{"cat/0.png", "dog/1.png"}));
    EXPECT_EQ(data->class_names(), (Names{"cat", "dog"}));
    EXPECT_EQ(values_in(*data), (Values{2, 1}));
  }
}

TEST(Contents, TellWhatNamesDoNot) {
  const SourceFolder temp;
  const Members files = {{"x/a.JFIF", png(1)},       {"x/b.jpe", png(2)},       {"x/c", png(3)},
                         {"x/d.2021-05-03", png(4)}, {"x/e.jpg_large", png(5)}, {"x/f", "words"},
                         {"x/g.txt", png(6)},        {"x/.h", png(7)},          {"x/i", ""}};
  for (const auto& [name, bytes] : files) temp.write("folder/" + name, bytes);
  temp.write("a.tar", tar(files));
  temp.write("a.zip", zip(files));
  for (const char* source : {"folder", "a.tar", "a.zip"}) {
    const auto data = open_dataset(temp / source, 1);
    EXPECT_EQ(values_in(*data), (Values{1, 2, 3, 4, 5})) << source;
    EXPECT_EQ(notes_of(*data), "") << source;
  }
}

TEST(Contents, OtherPicturesAreCountedAndNamed) {
  const SourceFolder temp;
  const Members files = {{"a.png", png(1)},
                         {"b.mp4", "x"},
                         {"c.MOV", "x"},
                         {"d.nii.gz", "x"},
                         {"e.CR2", "x"},
                         {"notes.txt", "x"},
                         {"f.svs", "x"},
                         {"IMG_1", std::string("\0\0\0\x18"
                                               "ftypmp42",
                                               12)}};
  for (const auto& [name, bytes] : files) temp.write("folder/" + name, bytes);
  temp.write("a.tar", tar(files));
  temp.write("a.zip", zip(files));
  for (const char* source : {"folder", "a.tar", "a.zip"}) {
    const auto data = open_dataset(temp / source, 1);
    EXPECT_EQ(data->size(), 1) << source;
    std::int64_t count = 0;
    for (const SourceNote& note : data->notes()) count += note.count;
    EXPECT_EQ(count, 6) << notes_of(*data);
    for (const char* word : {"a video", "a NIfTI volume", "raw file", "microscope", "b.mp4"})
      says(notes_of(*data), word);
  }
  temp.write("films/a.mp4", "x");
  says(refusal_of(ErrorKind::Data, [&] { open_dataset(temp / "films", 1); }), "a video");
  says(refusal_of(ErrorKind::Data,
                  [&] {
                    open_dataset(temp.write("f.tar", tar({{"a.mp4", "x"}})), 1);
                  }),
       "a video");
}

TEST(Contents, ArchivesThatAreNotLookedIntoAreTold) {
  const SourceFolder temp;
  const Members files = {{"a.png", png(1)}, {"b.zip", zip({{"c.png", png(2)}})}};
  for (const auto& [name, bytes] : files) temp.write("folder/" + name, bytes);
  temp.write("a.tar", tar(files));
  for (const char* source : {"folder", "a.tar"})
    says(notes_of(*open_dataset(temp / source, 1)), "b.zip");
}

TEST(Contents, NotesAreKeptInTheIndex) {
  const SourceFolder temp;
  temp.write("folder/a.png", png(1));
  temp.write("folder/b.mp4", "x");
  const SourceOptions options{.channels = 1, .inputs = {}, .cache = temp.path() / "cache"};
  const auto kept = [&] {
    return std::filesystem::exists(options.cache) && !std::filesystem::is_empty(options.cache);
  };
  while (!kept()) open_dataset(temp / "folder", options);
  says(notes_of(*open_dataset(temp / "folder", options)),
       "1 files are passed over: each is a video");
}

TEST(OneImage, IsADataSet) {
  const SourceFolder temp;
  for (const char* name : {"a.png", "b.jpg", "c", "d.png.part"}) {
    const auto data = open_dataset(temp.write(name, png(9)), 1);
    ASSERT_EQ(data->size(), 1);
    EXPECT_EQ(data->name(0), temp / name);
    EXPECT_EQ(data->load(0).pixels[0], 9);
    EXPECT_EQ(data->label(0), -1);
  }
  says(refusal_of(ErrorKind::Data, [&] { open_dataset(temp.write("e", "words"), 1); }), "(text)");
}

TEST(Folders, StrayImagesAreToldWhereFoldersNameNoClasses) {
  const SourceFolder temp;
  for (const char* name : {"folder/cat/1.png", "folder/dog/2.png", "folder/stray.png"})
    temp.write(name, png(1));
  const auto data = open_dataset(temp / "folder", 1);
  EXPECT_TRUE(data->class_names().empty());
  says(notes_of(*data), "stray.png");
  EXPECT_EQ(notes_of(*open_dataset(temp / "folder/cat", 1)), "");
}

}  // namespace
}  // namespace dino::data
