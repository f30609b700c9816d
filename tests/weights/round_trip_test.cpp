// Every kind of backbone through every naming scheme and container, bit for bit.
#include <gtest/gtest.h>

#include <algorithm>

#include "dino/base/error.h"
#include "dino/weights/detect.h"
#include "dino/weights/read.h"
#include "dino/weights/write.h"
#include "tests/temp_dir.h"
#include "tests/weights/toy.h"

namespace dino::weights {
namespace {

using testing::random_weights;
using testing::toy_network;

struct Form {
  Layout layout;
  const char* file;
};
constexpr Form kForms[] = {
    {Layout::Dino, "ours.safetensors"},         {Layout::Official, "official.pth"},
    {Layout::Official, "official.safetensors"}, {Layout::HuggingFace, "folder"},
    {Layout::Timm, "timm.safetensors"},         {Layout::Timm, "timm.pth"}};

bool has_hf(const arch::Architecture& a) {
  return a.family == arch::Family::Vit || a.family == arch::Family::ConvNext;
}

void expect_same_tensors(const Weights& actual, const Weights& expected,
                         const std::vector<std::string>& but = {}) {
  std::map<std::string, const format::TensorRecord*> by_name;
  for (const auto& tensor : actual.tensors) by_name[tensor.name] = &tensor;
  for (const auto& tensor : expected.tensors) {
    if (std::ranges::find(but, tensor.name) != but.end()) continue;
    ASSERT_TRUE(by_name.contains(tensor.name)) << tensor.name;
    EXPECT_EQ(by_name[tensor.name]->shape, tensor.shape) << tensor.name;
    EXPECT_TRUE(std::ranges::equal(by_name[tensor.name]->bytes, tensor.bytes)) << tensor.name;
  }
}

class RoundTrip : public ::testing::TestWithParam<std::string> {
 protected:
  test::TempDir temp_;
};

TEST_P(RoundTrip, EqualBitForBit) {
  const Weights original = random_weights(toy_network(GetParam()));
  for (const Form& form : kForms) {
    SCOPED_TRACE(form.file);
    if (form.layout == Layout::HuggingFace && !has_hf(original.network.architecture)) {
      EXPECT_THROW(write(temp_ / form.file, original, {.layout = form.layout}), Error);
      continue;
    }
    const auto lost = losses(original, form.layout);
    const auto path = temp_ / form.file;
    if (!lost.empty()) {
      EXPECT_THROW(write(path, original, {.layout = form.layout}), Error);
      EXPECT_FALSE(std::filesystem::exists(path));
      write(path, original, {.layout = form.layout, .allow_loss = true});
      std::vector<std::string> but = lost;
      but.insert(but.end(), {"cls_token", "pos_embed"});  // timm folds one into the other
      expect_same_tensors(read(path), original, but);
      continue;
    }
    write(path, original, {.layout = form.layout});
    const Weights back = read(path);
    expect_same_tensors(back, original);
    arch::Architecture expected = original.network.architecture;
    if (expected.family == arch::Family::Vit)
      expected.vit.positions = usual_positions(form.layout, expected.vit);
    EXPECT_EQ(back.network.architecture, expected);
    if (form.layout == Layout::Dino) {
      EXPECT_EQ(back.network, original.network);
    }
  }
}

TEST_P(RoundTrip, FromEachFormToEachForm) {
  const Weights original = random_weights(toy_network(GetParam()));
  for (const char* folder : {"1", "2"}) std::filesystem::create_directory(temp_ / folder);
  for (const Form& first : kForms) {
    if (first.layout == Layout::HuggingFace && !has_hf(original.network.architecture)) continue;
    write(temp_ / "1" / first.file, original, {.layout = first.layout, .allow_loss = true});
    const Weights one = read(temp_ / "1" / first.file);
    for (const Form& second : kForms) {
      if (second.layout == Layout::HuggingFace && !has_hf(original.network.architecture)) continue;
      SCOPED_TRACE(std::string(first.file) + " -> " + second.file);
      write(temp_ / "2" / second.file, one, {.layout = second.layout, .allow_loss = true});
      std::vector<std::string> but = losses(original, first.layout);
      for (const std::string& name : losses(original, second.layout)) but.push_back(name);
      if (!but.empty()) but.insert(but.end(), {"cls_token", "pos_embed"});
      expect_same_tensors(read(temp_ / "2" / second.file), original, but);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, RoundTrip, ::testing::ValuesIn(testing::kinds()),
                         [](const auto& kind) { return kind.param; });

TEST(PublishedSize, IsKnownByItsShapes) {
  const test::TempDir temp;
  const Weights small = random_weights(arch::zoo_entry("dinov3_vits16").network);
  write(temp / "some_name.pth", small, {.layout = Layout::Official});
  const Weights back = read(temp / "some_name.pth");
  EXPECT_EQ(back.network, arch::zoo_entry("dinov3_vits16").network);
  EXPECT_TRUE(back.notes.empty());
  EXPECT_FALSE(back.ignored.empty());  // periods and masks
}

}  // namespace
}  // namespace dino::weights
