#include "dino/embed/dense.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include "dino/base/error.h"
#include "tests/embed/fakes.h"

namespace dino::embed {
namespace {

using testing::FakeBackbone;

TEST(DenseMap, EqualsSlidingWindowMeans) {
  torch::manual_seed(0);
  const auto images = torch::rand({2, 1, 20, 15});
  const torch::Tensor means = dense_map(
      images, 5, 1, [](const torch::Tensor& batch) { return torch::avg_pool2d(batch, 5); });
  ASSERT_EQ(means.sizes(), images.sizes());
  // Cell (y, x) shows the 5 x 5 window centered there: a plain sliding mean, away from the border.
  const auto sliding = torch::avg_pool2d(images, 5, 1);
  EXPECT_TRUE(torch::allclose(means.slice(2, 2, -2).slice(3, 2, -2), sliding, 1e-5, 1e-6));
}

TEST(DenseMap, ACellIsAboutTheMiddleOfItsPixels) {
  // Pixels that are their own row, or column: what a cell shows is where it looks.
  const auto rows =
      torch::arange(48).to(torch::kFloat32).view({1, 1, 48, 1}).expand({1, 1, 48, 48});
  for (const auto& [patch, stride] : {std::pair{8, 4}, {8, 2}, {6, 2}, {12, 4}}) {
    for (const auto& images : {rows, rows.transpose(2, 3)}) {
      auto map = dense_map(images, patch, stride, [&, side = patch](const torch::Tensor& batch) {
        return torch::avg_pool2d(batch, side);
      });
      if (images.stride(3) != 0) map = map.transpose(2, 3);
      for (std::int64_t cell = 4; cell < map.size(2) - 4; ++cell)
        EXPECT_NEAR(map[0][0][cell][5].item<float>(),
                    (static_cast<double>(cell) + 0.5) * stride - 0.5, 1e-4)
            << patch << " / " << stride << ", cell " << cell;
    }
  }
}

TEST(DenseMap, PlainCallAtPatchStride) {
  const auto images = torch::rand({1, 1, 8, 8});
  int calls = 0;
  const auto map = dense_map(images, 4, 4, [&](const torch::Tensor& batch) {
    ++calls;
    EXPECT_TRUE(torch::equal(batch, images));
    return torch::avg_pool2d(batch, 4);
  });
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(map.size(3), 2);
  EXPECT_THROW(dense_map(images, 4, 3, [](const torch::Tensor& batch) { return batch; }), Error);
}

TEST(SuggestedStride, RefinesSmallGridsOnly) {
  EXPECT_EQ(suggested_stride(224, 16), 16);
  EXPECT_EQ(suggested_stride(28, 7), 1);
  EXPECT_EQ(suggested_stride(28, 4), 1);
  EXPECT_EQ(suggested_stride(96, 16), 4);
}

TEST(AttentionMap, IsTheClsRowOverThePatchGrid) {
  FakeBackbone backbone(4);
  const auto images = torch::rand({2, 1, 8, 12});
  const auto maps = attention_map(backbone, images);
  ASSERT_EQ(maps.sizes(), (torch::IntArrayRef{2, 2, 2, 3}));  // [B, h, gh, gw]
  const torch::NoGradGuard no_grad;
  backbone.eval();
  EXPECT_TRUE(
      torch::equal(maps[1][0].flatten(),
                   backbone.attention(images, -1, model::AttentionRows::All)[1][0][0].slice(0, 1)));
  const auto patches = patch_map(backbone, images);
  ASSERT_EQ(patches.sizes(), (torch::IntArrayRef{2, 3, 2, 3}));  // [B, D, gh, gw]
  EXPECT_NEAR(patches[0][0][1][2].item<float>(),
              images[0][0].slice(0, 4, 8).slice(1, 8, 12).mean().item<float>(), 1e-6);
}

}  // namespace
}  // namespace dino::embed
