// NumPy's files (tests/golden/data/make_sources.py) and CIFAR's binary ones.
#include <gtest/gtest.h>

#include <limits>

#include "dino/base/file.h"
#include "dino/data/sources/bad_image.h"
#include "dino/format/npy.h"
#include "dino/image/pixels/color.h"
#include "tests/data/source_folder.h"

namespace dino::data {
namespace {

using Names = std::vector<std::string>;
using Labels = std::vector<std::int64_t>;

std::string golden(const std::string& name) {
  return DINO_SOURCE_DIR "/tests/golden/data/" + name;
}

/** COLOR of make_sources.py. */
int color(std::int64_t i, int y, int x, int c) {
  return static_cast<int>(40 * i) + 20 * c + 5 * y + x;
}

void expect_colors(const Dataset& data) {
  ASSERT_EQ(data.size(), 5);
  for (std::int64_t i = 0; i < 5; ++i) {
    const image::Image image = data.load(i);
    ASSERT_EQ(image.height, 4);
    ASSERT_EQ(image.width, 6);
    ASSERT_EQ(image.channels, 3);
    for (int y = 0; y < 4; ++y)
      for (int x = 0; x < 6; ++x)
        for (int c = 0; c < 3; ++c) ASSERT_EQ(image.row(y)[3 * x + c], color(i, y, x, c));
  }
}

SourceOptions gray() {
  SourceOptions options;
  options.channels = 1;
  return options;
}

SourceOptions with_range(double low, double high, int channels = 3) {
  SourceOptions options;
  options.channels = channels;
  options.decode.value_range = {low, high};
  return options;
}

TEST(NpyDataset, EveryLayoutAndType) {
  for (const char* name :
       {"hwc_u1.npy", "chw_u2.npy", "hwc_f4_unit.npy", "rgba_u1.npy", "named.npz"}) {
    SCOPED_TRACE(name);
    expect_colors(*open_dataset(golden(name), 3));
  }
  expect_colors(*open_dataset(golden("hwc_f4_bytes.npy"), with_range(0, 255)));
  const auto gray = open_dataset(golden("gray_u1.npy"), 1);
  EXPECT_EQ(gray->load(3).row(2)[5], color(3, 2, 5, 0));
  EXPECT_EQ(gray->name(3), golden("gray_u1.npy") + "#3");
  EXPECT_EQ(open_dataset(golden("gray_u1.npy"), 3)->load(3).row(2)[17], color(3, 2, 5, 0));
  const image::Image luma = open_dataset(golden("hwc_u1.npy"), 1)->load(0);
  EXPECT_EQ(luma.pixels[0], image::luma(std::uint8_t{0}, std::uint8_t{20}, std::uint8_t{40}));
}

TEST(NpyDataset, WideImagesKeepTheirRange) {
  EXPECT_FLOAT_EQ(open_dataset(golden("chw_u2.npy"), 3)->load_wide(1).row(2, 3)[5],
                  static_cast<float>(color(1, 3, 5, 2) * 256 + 77) / 65535);
  const auto value = static_cast<float>(color(1, 3, 5, 2));
  for (const char* name : {"hwc_f4_unit.npy", "hwc_u1.npy"})
    EXPECT_NEAR(open_dataset(golden(name), 3)->load_wide(1).row(2, 3)[5], value / 255, 1e-7)
        << name;
  EXPECT_EQ(open_dataset(golden("hwc_f4_bytes.npy"), 3)->load_wide(1).row(2, 3)[5], value);
  EXPECT_FLOAT_EQ(
      open_dataset(golden("hwc_f4_bytes.npy"), with_range(0, 255))->load_wide(1).row(2, 3)[5],
      value / 255);
  EXPECT_EQ(open_dataset(golden("hwc_u1.npy"), 1)->load_wide(0).channels, 1);
}

TEST(NpyDataset, BandsThatAreAskedForAreKept) {
  const SourceFolder temp;
  std::vector<std::byte> bytes(2 * 5 * 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = std::byte{static_cast<std::uint8_t>(i)};
  const std::vector<std::int64_t> shape = {2, 5, 3, 4};  // [N, C, H, W]
  format::write_npy(temp / "bands.npy", {"", format::DType::U8, shape, bytes});
  const auto data = open_dataset(temp / "bands.npy", 5);
  const image::Image image = data->load(1);
  EXPECT_EQ(image.channels, 5);
  EXPECT_EQ(image.row(2)[5 * 3 + 4], 60 + 4 * 12 + 2 * 4 + 3);
  EXPECT_EQ(open_dataset(golden("rgba_u1.npy"), 4)->load(0).pixels[3], 9);
  EXPECT_EQ(open_dataset(golden("rgba_u1.npy"), 0)->load(0).channels, 3);
  EXPECT_EQ(open_dataset(golden("gray_u1.npy"), 0)->load(0).channels, 1);
}

/** A file of zeros. */
std::string write_npy(const SourceFolder& temp, const std::vector<std::int64_t>& shape,
                      format::DType dtype = format::DType::U8) {
  const std::vector<std::byte> bytes(static_cast<std::size_t>(format::byte_count(dtype, shape)));
  format::write_npy(temp / "x.npy", {"", dtype, shape, bytes});
  return temp / "x.npy";
}

TEST(NpyDataset, OnePictureNeedsNoAxisForItsNumber) {
  const SourceFolder temp;
  const auto opened = [&](const std::vector<std::int64_t>& shape, int channels) {
    const auto data = open_dataset(write_npy(temp, shape), channels);
    const image::Image image = data->load(0);
    return std::vector<std::int64_t>{data->size(), image.height, image.width, image.channels};
  };
  using Sizes = std::vector<std::int64_t>;
  EXPECT_EQ(opened({32, 20, 3}, 3), (Sizes{1, 32, 20, 3}));
  EXPECT_EQ(opened({32, 20, 3}, 0), (Sizes{1, 32, 20, 3}));
  EXPECT_EQ(opened({32, 20, 4}, 1), (Sizes{1, 32, 20, 1}));
  EXPECT_EQ(opened({32, 20, 5}, 5), (Sizes{1, 32, 20, 5}));
  EXPECT_EQ(opened({32, 20, 5}, 0), (Sizes{32, 20, 5, 1}));
  EXPECT_EQ(opened({3, 32, 20}, 0), (Sizes{3, 32, 20, 1}));  // as is said
  EXPECT_EQ(opened({1, 3, 32, 20}, 0), (Sizes{1, 32, 20, 3}));
  EXPECT_EQ(opened({2, 20, 3}, 0), (Sizes{2, 20, 3, 1}));  // too low for a picture of colors
  says(refusal_of(ErrorKind::Data,
                  [&] {
                    open_dataset(write_npy(temp, {32, 20}), 3);
                  }),
       "array[np.newaxis]");
}

TEST(NpyDataset, HugeClaimsNameTheFile) {
  const SourceFolder temp;
  for (const std::vector<std::int64_t>& shape : {std::vector<std::int64_t>{1LL << 40, 1LL << 40, 3},
                                                 {1LL << 62, 2},
                                                 {0, 1LL << 40, 1LL << 40},
                                                 {1LL << 31, 1LL << 31, 1},
                                                 {1000, 1000, 1000}}) {
    const std::string path = temp.write("huge.npy", format::npy_header(format::DType::F32, shape));
    const std::string message = refusal_of(ErrorKind::Format, [&] { open_dataset(path, 3); });
    says(message, path);
    says(message, fmt::format("F32 [{}", shape[0]));
  }
}

/** A gray image of one row, of an NPY file of one type. */
template <typename Item>
std::unique_ptr<Dataset> array_of(const SourceFolder& temp, format::DType dtype,
                                  const std::vector<Item>& items, const SourceOptions& options) {
  const std::vector<std::int64_t> shape = {1, 1, static_cast<std::int64_t>(items.size())};
  format::write_npy(temp / "x.npy", {"", dtype, shape, std::as_bytes(std::span(items))});
  return open_dataset(temp / "x.npy", options);
}

template <typename Item>
std::vector<int> levels_of(format::DType dtype, const std::vector<Item>& items,
                           const SourceOptions& options = gray()) {
  const SourceFolder temp;
  const auto data = array_of(temp, dtype, items, options);
  const image::Image image = data->load(0);
  // What eight bits do not cut is the same in floats.
  const image::Planes planes = data->load_wide(0);
  for (std::size_t i = 0; i < items.size(); ++i)
    if (image.pixels[i] > 0 && image.pixels[i] < 255) {
      EXPECT_NEAR(planes.values[i] * 255, image.pixels[i], 1.0);
    }
  return {image.pixels.begin(), image.pixels.end()};
}

/** Integers span their type and floats [0, 1], whatever they hold; else the options say. */
TEST(NpyDataset, NoSampleDecidesWhatTheOthersMean) {
  using format::DType;
  using Levels = std::vector<int>;
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const float odd : {1.0F, 1.002F, 200.0F, 1e30F, nan, -nan, -1.0F})
    EXPECT_EQ(levels_of<float>(DType::F32, {0, 0.2F, 0.6F, odd}),
              (Levels{0, 51, 153, odd > 0 ? 255 : 0}))
        << odd;
  EXPECT_EQ(levels_of<double>(DType::F64, {0, 0.2, 0.6, 1.002}), (Levels{0, 51, 153, 255}));
  EXPECT_EQ(levels_of<std::uint16_t>(DType::F16, {0, 0x3800, 0x3C00, 0x7E00}),  // 0.5, 1, NaN
            (Levels{0, 128, 255, 0}));
  EXPECT_EQ(levels_of<std::uint8_t>(DType::Bool, {0, 1}), (Levels{0, 255}));
  EXPECT_EQ(levels_of<std::uint8_t>(DType::U8, {0, 1, 7}), (Levels{0, 1, 7}));
  EXPECT_EQ(levels_of<std::uint16_t>(DType::U16, {0, 255, 4095, 65535}), (Levels{0, 0, 15, 255}));
  EXPECT_EQ(levels_of<std::int8_t>(DType::I8, {-128, 0, 127}), (Levels{0, 128, 255}));
  EXPECT_EQ(levels_of<std::int16_t>(DType::I16, {-32768, 0, 32767}), (Levels{0, 128, 255}));
  EXPECT_EQ(levels_of<std::int32_t>(DType::I32, {INT32_MIN, 0, INT32_MAX}), (Levels{0, 128, 255}));
  EXPECT_EQ(levels_of<std::uint32_t>(DType::U32, {0, UINT32_MAX}), (Levels{0, 255}));
  EXPECT_EQ(levels_of<std::int64_t>(DType::I64, {INT64_MIN, 0, INT64_MAX}), (Levels{0, 128, 255}));
  EXPECT_EQ(levels_of<std::uint64_t>(DType::U64, {0, UINT64_MAX}), (Levels{0, 255}));
  const SourceOptions twelve = with_range(0, 4095, 1);
  EXPECT_EQ(levels_of<std::uint16_t>(DType::U16, {0, 819, 4095, 65535}, twelve),
            (Levels{0, 51, 255, 255}));
  EXPECT_EQ(levels_of<std::int16_t>(DType::I16, {-5, 819, 4095}, twelve), (Levels{0, 51, 255}));
  EXPECT_EQ(levels_of<float>(DType::F32, {nan, 819, 4096}, twelve), (Levels{0, 51, 255}));
  EXPECT_EQ(levels_of<std::uint8_t>(DType::U8, {0, 4, 16}, with_range(0, 16, 1)),
            (Levels{0, 64, 255}));
}

TEST(NpyDataset, SaysWhatItsSamplesAre) {
  const SourceFolder temp;
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const auto data = array_of<float>(temp, format::DType::F32, {0.5F, nan, 1.002F, 0, 0}, gray());
  const StoredImage stored = data->stored(0);
  ASSERT_TRUE(stored.raster);
  EXPECT_EQ(stored.raster->type_name(), "float32");
  EXPECT_EQ(subset(*data, {0})->stored(0).raster->width, 5);
}

TEST(NpyDataset, AFileOfNoLabelsDoesNotFit) {
  const SourceFolder temp;
  const std::string images = temp.write(
      "x.npy", format::npy_header(format::DType::U8, std::vector<std::int64_t>{2, 4, 4}) +
                   std::string(32, '\1'));
  const std::string labels =
      temp.write("none.npy", format::npy_header(format::DType::I64, std::vector<std::int64_t>{0}));
  says(refusal_of(ErrorKind::Data, [&] { open_dataset(images, 1, labels); }), "0 labels");
}

TEST(NpyDataset, SaysWhatIsStored) {
  const auto stored = [](const char* name, int channels) {
    return open_dataset(golden(name), channels)->stored(1);
  };
  for (const int channels : {0, 1, 3}) {
    const StoredImage wide = stored("chw_u2.npy", channels);
    EXPECT_EQ(wide.samples->bits, 16);
    EXPECT_EQ(wide.samples->channels, 3);
    EXPECT_EQ(wide.bytes.size(), 4u * 6 * 3 * 2);
    EXPECT_FALSE(wide.samples->has_alpha);
    const StoredImage alpha = stored("rgba_u1.npy", channels);
    EXPECT_EQ(alpha.samples->channels, 3);
    EXPECT_TRUE(alpha.samples->has_alpha);
    EXPECT_EQ(alpha.bytes.size(), 4u * 6 * 4);
  }
  EXPECT_EQ(stored("rgba_u1.npy", 4).samples->channels, 4);
  const StoredImage floats = stored("hwc_f4_unit.npy", 3);
  EXPECT_EQ(floats.samples->bits, 32);
  EXPECT_TRUE(floats.samples->is_float);
  EXPECT_EQ(floats.samples->width, 6);
  EXPECT_EQ(floats.samples->height, 4);
}

TEST(NpyDataset, LabelsBesideWithinAndNamed) {
  const Labels expected = {2, 0, 1, 2, 0};
  for (const char* name : {"gray_u1.npy", "named.npz", "packed.npz"}) {
    const auto data = open_dataset(golden(name), 1);
    EXPECT_EQ(labels_in(*data), expected) << name;
    EXPECT_EQ(data->class_names(), (Names{"0", "1", "2"}));
  }
  EXPECT_EQ(open_dataset(golden("hwc_u1.npy"), 1)->label(0), -1);
  EXPECT_EQ(labels_in(*open_dataset(golden("hwc_u1.npy"), 1, golden("gray_u1_labels.npy"))),
            expected);
  EXPECT_EQ(open_dataset(golden("packed.npz"), 1)->load(1).pixels[0], 40);
}

TEST(NpzDataset, LabelsOfEveryForm) {
  for (const char* form : {"column", "one_hot", "float"}) {
    const auto data = open_dataset(golden(fmt::format("labels_{}.npz", form)), 1);
    EXPECT_EQ(labels_in(*data), (Labels{2, 0, 1, 2, 0})) << form;
    EXPECT_EQ(data->class_names(), (Names{"0", "1", "2"})) << form;
    EXPECT_EQ(data->load(1).pixels[0], 40);
  }
  for (const char* form : {"unicode", "unicode_big", "bytes"}) {
    const auto data = open_dataset(golden(fmt::format("labels_{}.npz", form)), 1);
    EXPECT_EQ(data->class_names(), (Names{"a", "b\xc3\xa9", "c"})) << form;
    EXPECT_EQ(labels_in(*data), (Labels{2, 1, 0, 2, 1})) << form;
  }
  const auto some = open_dataset(golden("labels_some.npz"), 1);
  EXPECT_EQ(labels_in(*some), (Labels{2, 0, -1, 2, 0}));
}

TEST(NpzDataset, WhatIsNotUsedIsTold) {
  std::string notes;
  for (const SourceNote& note : open_dataset(golden("labels_column.npz"), 1)->notes())
    notes += describe(note) + "\n";
  says(notes, "labels_column.npz#val_images");
  says(notes, "labels_column.npz#info");
  says(notes, "Python objects");
}

TEST(NpzDataset, LabelsOfAnotherNumberAreTold) {
  const SourceFolder temp;
  const std::int64_t images[] = {2, 4, 4}, labels[] = {3};
  const auto data = open_dataset(
      temp.write(
          "a.npz",
          zip({{"images.npy", format::npy_header(format::DType::U8, images) + std::string(32, 'x')},
               {"labels.npy", format::npy_header(format::DType::U8, labels) + "123"}})),
      1);
  EXPECT_TRUE(data->class_names().empty());
  ASSERT_EQ(data->notes().size(), 1u);
  says(describe(data->notes()[0]), "[3] for 2 images");
}

/** An archive whose member unpacks to more, or less, than its header claims. */
TEST(NpzDataset, UnpacksNoMoreThanTheHeaderClaims) {
  const SourceFolder temp;
  const std::int64_t shape[] = {2, 4, 4};
  const std::string header = format::npy_header(format::DType::U8, shape);
  const auto archive = [&](std::size_t bytes) {
    return temp.write("a.npz", zip({{"images.npy", header + std::string(bytes, 'x')}}));
  };
  EXPECT_EQ(open_dataset(archive(32), 1)->size(), 2);
  says(refusal_of(ErrorKind::Format, [&] { open_dataset(archive(33), 1); }),
       "more than its header");
  says(refusal_of(ErrorKind::Format, [&] { open_dataset(archive(31), 1); }), "cut short");
  says(refusal_of(ErrorKind::Format, [&] { open_dataset(archive(100 << 20), 1); }),
       "more than its header");
  const std::int64_t huge[] = {std::int64_t{1} << 40, 1024, 1024};
  says(refusal_of(ErrorKind::Io,
                  [&] {
                    open_dataset(
                        temp.write("b.npz", zip({{"images.npy",
                                                  format::npy_header(format::DType::U8, huge)}})),
                        1);
                  }),
       "TMPDIR");
}

TEST(NpyDataset, WhatIsNoImageSaysSo) {
  const SourceFolder temp;
  const auto refused = [&](const std::vector<std::int64_t>& shape, format::DType dtype,
                           std::string_view reason) {
    const std::string path = write_npy(temp, shape, dtype);
    says(refusal_of(ErrorKind::Data, [&] { open_dataset(path, 3); }), reason);
  };
  refused({4, 4}, format::DType::U8, "2 dimensions");
  refused({2, 5, 4, 7}, format::DType::U8, "7 channels");
  refused({0, 4, 4}, format::DType::U8, "0 x 4 x 4");
  refused({2, 0, 4}, format::DType::U8, "no images");
  says(refusal_of(ErrorKind::Data, [] { open_dataset(golden("unclear.npz"), 3); }),
       "a [5, 4, 6], b [5, 4, 6]");
  const std::string cut = read_text_file(golden("hwc_u1.npy"));
  says(refusal_of(ErrorKind::Format,
                  [&] { open_dataset(temp.write("cut.npy", cut.substr(0, cut.size() - 1)), 3); }),
       "cut short");
  says(refusal_of(ErrorKind::Data,
                  [&] { open_dataset(golden("hwc_u1.npy"), 3, golden("hwc_u1.npy")); }),
       "no labels");
}

TEST(NpyDataset, AFileCutShortLaterGivesBadImages) {
  const SourceFolder temp;
  const std::string path = temp.write("a.npy", read_text_file(golden("hwc_u1.npy")));
  const auto data = open_dataset(path, 3);
  std::filesystem::resize_file(path, 300);
  EXPECT_NO_THROW(data->load(0));
  EXPECT_THROW(data->load(4), BadImage);
}

/** Records as cs.toronto.edu/~kriz/cifar.html describes them. */
std::string cifar(int records, int label_bytes, int first) {
  std::string bytes;
  for (int i = first; i < first + records; ++i) {
    if (label_bytes == 2) bytes += '\x05';  // the coarse class
    bytes += static_cast<char>(i % (label_bytes == 1 ? 10 : 100));
    for (int c = 0; c < 3; ++c)
      for (int p = 0; p < 1024; ++p) bytes += static_cast<char>(50 * c + i + p / 32);
  }
  return bytes;
}

TEST(CifarDataset, FoldersAndFilesOfBothKinds) {
  const SourceFolder temp;
  temp.write("c10/data_batch_1.bin", cifar(3, 1, 0));
  temp.write("c10/data_batch_2.bin", cifar(2, 1, 3));
  temp.write("c10/test_batch.bin", cifar(1, 1, 7));
  temp.write("c10/batches.meta.txt",
             "plane\ncar\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n\n");
  const auto train = open_dataset(temp / "c10", 3);
  EXPECT_EQ(labels_in(*train), (Labels{0, 1, 2, 3, 4}));
  EXPECT_EQ(train->class_names().at(4), "deer");
  EXPECT_EQ(train->name(3), (temp / "c10/data_batch_2.bin") + "#0");
  const image::Image image = train->load(3);
  EXPECT_EQ(image.row(31)[0], 3 + 31);
  EXPECT_EQ(image.row(31)[1], 50 + 3 + 31);
  EXPECT_EQ(image.row(0)[3 * 31 + 2], 100 + 3);
  EXPECT_EQ(open_dataset(temp / "c10/test_batch.bin", 3)->label(0), 7);

  const auto hundred = open_dataset(temp.write("c100/train.bin", cifar(4, 2, 60)), 3);
  EXPECT_EQ(labels_in(*hundred), (Labels{60, 61, 62, 63}));
  EXPECT_EQ(hundred->load(1).row(0)[1], 50 + 61);
}

TEST(CifarDataset, OtherFilesAreRefused) {
  const SourceFolder temp;
  const auto refused = [&](std::string_view bytes, std::string_view reason) {
    const std::string path = temp.write("x.bin", bytes);
    says(refusal_of(ErrorKind::Data, [&] { open_dataset(path, 3); }), reason);
  };
  refused("", "no binary file of CIFAR");
  refused(cifar(2, 1, 0) + "x", "no binary file of CIFAR");
  std::string wrong = cifar(2, 1, 0);
  wrong[0] = 77;
  refused(wrong, "class 77");
}

}  // namespace
}  // namespace dino::data
