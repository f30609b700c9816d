// IDX sources: labels found, given, missing and mismatched; bytes that are no IDX.
#include <gtest/gtest.h>

#include <stdlib.h>
#include <span>

#include <filesystem>
#include <fstream>
#include <numeric>

#include "dino/base/error.h"
#include "dino/data/sources/dataset.h"
#include "dino/format/idx.h"

namespace dino::data {
namespace {

namespace fs = std::filesystem;

class IdxFiles : public testing::Test {
 protected:
  IdxFiles() {
    std::string name = (fs::temp_directory_path() / "dino_idx_XXXXXX").native();
    folder_ = mkdtemp(name.data());
  }
  ~IdxFiles() override { fs::remove_all(folder_); }

  /** Bytes 0, 1, 2, ... in the given shape. */
  std::string write(const std::string& name, std::vector<std::int64_t> shape) {
    std::vector<std::byte> bytes(static_cast<std::size_t>(format::element_count(shape)));
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i);
    format::write_idx(folder_ / name, {"", format::DType::U8, std::move(shape), bytes});
    return (folder_ / name).native();
  }
  std::string refusal(const std::string& source, ErrorKind kind, const std::string& labels = "") {
    try {
      open_dataset(source, 1, labels);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), kind) << error.what();
      return error.what();
    }
    ADD_FAILURE() << "no error";
    return "";
  }

  fs::path folder_;
};

TEST_F(IdxFiles, ImagesAndTheLabelsBesideThem) {
  const std::string images = write("t-images-idx3-ubyte.gz", {5, 2, 3});
  write("t-labels-idx1-ubyte", {5});  // found though not zipped
  const auto data = open_dataset(images, 1);
  ASSERT_EQ(data->size(), 5);
  EXPECT_EQ(data->name(4), images + "#4");
  EXPECT_EQ(data->label(3), 3);
  EXPECT_EQ(data->class_names(), (std::vector<std::string>{"0", "1", "2", "3", "4"}));
  const image::Image image = data->load(1);
  EXPECT_EQ(image.width, 3);
  EXPECT_EQ(image.height, 2);
  EXPECT_EQ(image.pixels, (std::vector<std::uint8_t>{6, 7, 8, 9, 10, 11}));
  const image::Image color = open_dataset(images, 3)->load(1);
  EXPECT_EQ(color.channels, 3);
  EXPECT_EQ(color.row(1)[3], 10);
  EXPECT_EQ(color.row(1)[5], 10);
}

TEST_F(IdxFiles, LabelsAreOptionalOrGiven) {
  const std::string images = write("pictures", {5, 2, 3});
  EXPECT_EQ(open_dataset(images, 1)->label(0), -1);
  EXPECT_TRUE(open_dataset(images, 1)->class_names().empty());
  EXPECT_EQ(open_dataset(images, 1, write("classes", {5}))->label(2), 2);
}

TEST_F(IdxFiles, LabelsOfOtherTypesAndShapes) {
  const std::string images = write("pictures", {3, 2, 3});
  const auto labels_of = [&](format::DType dtype, std::vector<std::int64_t> shape, auto values) {
    format::write_idx(folder_ / "classes", {"", dtype, shape, std::as_bytes(std::span(values))});
    const auto data = open_dataset(images, 1, (folder_ / "classes").native());
    return std::vector<std::int64_t>{data->label(0), data->label(1), data->label(2)};
  };
  using Labels = std::vector<std::int64_t>;
  const Labels expected = {2, 0, -1};
  EXPECT_EQ(labels_of(format::DType::I32, {3}, std::vector<std::int32_t>{2, 0, -1}), expected);
  EXPECT_EQ(labels_of(format::DType::F32, {3, 1}, std::vector<float>{2, 0, 0.5F}), expected);
  EXPECT_EQ(
      labels_of(format::DType::U8, {3, 3}, std::vector<std::uint8_t>{0, 0, 1, 1, 0, 0, 0, 0, 0}),
      expected);
}

TEST_F(IdxFiles, LabelsThatDoNotFitAreRefused) {
  const std::string images = write("t-images-idx3-ubyte", {5, 2, 3});
  const std::string labels = write("t-labels-idx1-ubyte", {4});
  EXPECT_EQ(refusal(images, ErrorKind::Data), "[open data set] '" + labels +
                                                  "' holds 4 labels for the 5 images of '" +
                                                  images + "'; are they of one set?");
  const std::string more = write("more-labels", {6});
  EXPECT_NE(refusal(images, ErrorKind::Data, more).find("6 labels for the 5"), std::string::npos);
  EXPECT_NE(refusal(images, ErrorKind::Data, images).find("holds no labels"), std::string::npos);
  refusal(images, ErrorKind::Io, (folder_ / "missing").native());
}

TEST_F(IdxFiles, FilesWithoutImagesAreRefused) {
  EXPECT_NE(refusal(write("labels", {5}), ErrorKind::Data).find("holds no images"),
            std::string::npos);
  EXPECT_NE(refusal(write("empty", {0, 28, 28}), ErrorKind::Data).find("holds no images"),
            std::string::npos);
  const std::string cut = write("cut", {5, 2, 3});
  fs::resize_file(cut, 20);
  EXPECT_NE(refusal(cut, ErrorKind::Format).find(cut), std::string::npos);
  const fs::path zip = folder_ / "broken.gz";
  std::ofstream(zip, std::ios::binary) << "\x1f\x8b no gzip";
  refusal(zip, ErrorKind::Format);
}

}  // namespace
}  // namespace dino::data
