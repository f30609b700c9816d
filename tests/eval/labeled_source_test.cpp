#include "dino/eval/labeled_source.h"

#include <gtest/gtest.h>

#include "tests/data/source_folder.h"

namespace dino::eval {
namespace {

data::Preprocess gray() {
  return {.channels = 1, .mean = {0.5}, .std = {0.5}};
}

TEST(LabeledSource, LeavesOutAndCountsImagesWithoutALabel) {
  const data::SourceFolder folder;
  folder.write("1.png", data::png(1));
  folder.write("2.png", data::png(2));
  folder.write("3.png", data::png(3));
  const std::string list = folder.write("list.csv", "path,label\n1.png,b\n2.png,\n3.png,a\n");
  const LabeledSource source = open_labeled(list, gray(), "--train");
  EXPECT_EQ(source.left_out, 1);
  EXPECT_EQ(data::values_in(*source.images), (std::vector<int>{1, 3}));
  EXPECT_EQ(source.images->class_names().size(), 2U);
}

TEST(LabeledSource, NothingLabeledIsRefusedByTheNameTheUserKnows) {
  const data::SourceFolder folder;
  folder.write("images/1.png", data::png(1));
  const std::string refusal = data::refusal_of(
      ErrorKind::Data, [&] { open_labeled(folder / "images", gray(), "knn.test"); });
  EXPECT_NE(refusal.find("knn.test " + (folder / "images") + " has no labels"), std::string::npos)
      << refusal;
}

}  // namespace
}  // namespace dino::eval
