// The fused CPU node against the plain composition: values and every gradient.
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <torch/types.h>

#include <array>
#include <thread>

#include "dino/model/vit.h"
#include "tests/kernel_sets.h"

namespace dino::model {
namespace {

struct FusedCase {
  const char* name;
  Precision precision;
  Tokens tokens;
  TrainingOptions training = {};
  void (*set)(arch::Vit&) = [](arch::Vit&) {};

  double tolerance() const {  // relative to the norm
    return precision == Precision::Fp32 ? 1e-5 : 2e-2;
  }
};

void as_dinov2(arch::Vit& v) {
  v.layer_scale = v.mask_token = true;
  v.registers = 3;
}

void as_dinov3(arch::Vit& v) {
  as_dinov2(v);
  v.positions = arch::Positions::Rope;
  v.mask_key_bias = v.local_cls_norm = true;
  v.norm_eps = 1e-5;
}

void as_giants(arch::Vit& v) {
  as_dinov3(v);
  v.ffn = arch::Ffn::SwiGlu;
  v.qkv_bias = v.mask_key_bias = false;
  v.untie_cls_and_patch_norms = true;
}

struct Outcome {
  torch::Tensor cls;
  std::vector<torch::Tensor> gradients;
};

class FusedEncoderTest : public testing::TestWithParam<FusedCase> {};

/** Loss that weighs every output differently. */
torch::Tensor weighed_sum(const std::vector<GroupFeatures>& features) {
  torch::Tensor total = torch::zeros({});
  for (const auto& group : features) {
    for (const auto& x : {group.cls, group.patches}) {
      if (x.defined()) total = total + (x * torch::arange(x.numel()).view(x.sizes()).sin()).sum();
    }
  }
  return total;
}

TEST_P(FusedEncoderTest, EqualsPlainComposition) {
  const FusedCase& c = GetParam();
  arch::Architecture architecture{
      .name = "",
      .channels = 2,
      .image_size = 16,
      .vit = {.dim = 40, .depth = 3, .heads = 2, .hidden = 72, .patch_size = 4}};
  c.set(architecture.vit);
  auto data = at::detail::createCPUGenerator(3);
  std::vector<CropGroup> groups = {{torch::empty({3, 2, 16, 16}).normal_(0, 1, data), {}},
                                   {torch::empty({5, 2, 8, 12}).normal_(0, 1, data), {}}};
  if (architecture.vit.mask_token) groups[0].masks = torch::rand({3, 16}, data).lt(0.4);

  const auto pass = [&](bool fused) {
    auto draws = at::detail::createCPUGenerator(7);
    VisionTransformer vit(architecture, c.training, draws);
    for (auto& p : vit.parameters()) {  // spread values so that every term matters
      const torch::NoGradGuard no_grad;
      p.add_(torch::empty_like(p).normal_(0, 0.1, draws));
    }
    draws.set_current_seed(11);
    vit.set_precision(c.precision);
    vit.set_fused(fused);
    const auto features = vit.forward_groups(groups, c.tokens);
    weighed_sum(features).backward();
    Outcome outcome{torch::cat({features[0].cls, features[1].cls}).detach(), {}};
    for (const auto& p : vit.parameters()) outcome.gradients.push_back(p.grad());
    return outcome;
  };
  const auto error = [](const torch::Tensor& a, const torch::Tensor& b) {
    return ((a - b).norm() / b.norm().clamp_min(1e-12)).item<double>();
  };
  const Outcome plain = pass(false);
  test::on_every_kernel_set([&] {
    const Outcome fused = pass(true);
    EXPECT_LT(error(fused.cls, plain.cls), c.tolerance());
    for (std::size_t i = 0; i < plain.gradients.size(); ++i) {
      ASSERT_TRUE(plain.gradients[i].defined()) << "plain parameter " << i;
      ASSERT_TRUE(fused.gradients[i].defined()) << "parameter " << i;
      EXPECT_LT(error(fused.gradients[i], plain.gradients[i]), 4 * c.tolerance())
          << "parameter " << i;
    }
  });
}

constexpr TrainingOptions kLinear{.drop_path = 0.4};
constexpr TrainingOptions kSubset{.drop_path = 0.5, .drop_path_rule = DropPath::Subset};
constexpr TrainingOptions kAlmostAllDropped{.drop_path = 0.97};  // some branches take no sequence
constexpr TrainingOptions kRedrawn{.drop_path = 0.3,
                                   .drop_path_rule = DropPath::Subset,
                                   .rope_augment = {.shift = 0.3, .jitter = 1.2, .rescale = 2}};
constexpr Precision kFp32 = Precision::Fp32, kBf16 = Precision::Bf16;
constexpr Tokens kAll = Tokens::ClsAndPatches, kCls = Tokens::Cls;

INSTANTIATE_TEST_SUITE_P(
    Modes, FusedEncoderTest,
    testing::Values(FusedCase{"fp32_all_tokens", kFp32, kAll},
                    FusedCase{"fp32_cls_only", kFp32, kCls},
                    FusedCase{"fp32_drop_path", kFp32, kAll, kLinear},
                    FusedCase{"fp32_drop_path_cls_only", kFp32, kCls, kLinear},
                    FusedCase{"fp32_almost_all_dropped", kFp32, kAll, kAlmostAllDropped},
                    FusedCase{"fp32_almost_all_dropped_cls_only", kFp32, kCls, kAlmostAllDropped},
                    FusedCase{"bf16_all_tokens", kBf16, kAll},
                    FusedCase{"bf16_cls_only", kBf16, kCls, {.drop_path = 0.2}},
                    FusedCase{"fp32_dinov2", kFp32, kAll, {}, as_dinov2},
                    FusedCase{"fp32_dinov2_cls_only", kFp32, kCls, kSubset, as_dinov2},
                    FusedCase{"fp32_dinov2_drop_path", kFp32, kAll, kSubset, as_dinov2},
                    FusedCase{"bf16_dinov2", kBf16, kAll, kSubset, as_dinov2},
                    FusedCase{"fp32_dinov3", kFp32, kAll, kRedrawn, as_dinov3},
                    FusedCase{"fp32_dinov3_cls_only", kFp32, kCls, kRedrawn, as_dinov3},
                    FusedCase{"bf16_dinov3", kBf16, kAll, {}, as_dinov3},
                    FusedCase{"fp32_giants", kFp32, kAll, kRedrawn, as_giants},
                    FusedCase{"fp32_giants_cls_only", kFp32, kCls, {}, as_giants},
                    FusedCase{"bf16_giants", kBf16, kAll, kRedrawn, as_giants}),
    [](const testing::TestParamInfo<FusedCase>& test) { return test.param.name; });

TEST(FusedEncoder, NoGradientModeGivesTheSameBytes) {
  auto draws = at::detail::createCPUGenerator(1);
  VisionTransformer vit({.name = "",
                         .channels = 1,
                         .image_size = 8,
                         .vit = {.dim = 32, .depth = 2, .heads = 2, .hidden = 64, .patch_size = 4}},
                        {}, draws);
  const torch::Tensor images = torch::empty({2, 1, 8, 8}).normal_(0, 1, draws);
  const torch::Tensor with = vit.forward_groups({{images, {}}}, Tokens::Cls)[0].cls.detach();
  const torch::NoGradGuard no_grad;
  EXPECT_TRUE(torch::equal(with, vit.forward_groups({{images, {}}}, Tokens::Cls)[0].cls));
}

TEST(FusedEncoder, ClsOnlyEqualsClsOfAllTokens) {
  auto draws = at::detail::createCPUGenerator(2);
  VisionTransformer vit({.name = "",
                         .channels = 1,
                         .image_size = 8,
                         .vit = {.dim = 32, .depth = 2, .heads = 2, .hidden = 64, .patch_size = 4}},
                        {}, draws);
  const torch::Tensor images = torch::empty({2, 1, 8, 8}).normal_(0, 1, draws);
  const torch::NoGradGuard no_grad;
  const auto all = vit.forward_groups({{images, {}}}, Tokens::ClsAndPatches)[0].cls;
  const auto cls = vit.forward_groups({{images, {}}}, Tokens::Cls)[0].cls;
  EXPECT_LT((all - cls).abs().max().item<double>(), 1e-5);
}

/** Compiled without OpenMP, at::parallel_for would run everything on one thread, and nothing else
 * would tell. */
TEST(FusedEncoder, LoopsUseTheThreads) {
  at::set_num_threads(2);
  std::array<std::thread::id, 2> ids;
  at::parallel_for(0, 2, 1, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i)
      ids[static_cast<std::size_t>(i)] = std::this_thread::get_id();
  });
  EXPECT_NE(ids[0], ids[1]);
}

/** Slabs are how the work is cut, not what is computed: many sequences of several lengths, on any
 * number of threads. */
TEST(FusedEncoder, ThreadsAndSlabsChangeNothingButRounding) {
  const arch::Architecture architecture{
      .name = "",
      .channels = 1,
      .image_size = 32,
      .vit = {.dim = 32, .depth = 2, .heads = 2, .hidden = 64, .patch_size = 4}};
  auto data = at::detail::createCPUGenerator(5);
  const std::vector<CropGroup> groups = {{torch::empty({9, 1, 32, 32}).normal_(0, 1, data), {}},
                                         {torch::empty({50, 1, 16, 20}).normal_(0, 1, data), {}},
                                         {torch::empty({3, 1, 4, 4}).normal_(0, 1, data), {}}};
  std::vector<torch::Tensor> outputs, gradients;
  for (const int threads : {1, 2, 5}) {
    at::set_num_threads(threads);
    auto draws = at::detail::createCPUGenerator(1);
    VisionTransformer vit(architecture, {}, draws);
    const auto features = vit.forward_groups(groups, Tokens::ClsAndPatches);
    weighed_sum(features).backward();
    outputs.push_back(features[1].patches.detach());
    std::vector<torch::Tensor> flat;
    for (const auto& p : vit.parameters()) flat.push_back(p.grad().flatten());
    gradients.push_back(torch::cat(flat));
  }
  at::set_num_threads(2);
  for (std::size_t i = 1; i < outputs.size(); ++i) {
    EXPECT_LT((outputs[i] - outputs[0]).norm().item<double>(),
              1e-5 * outputs[0].norm().item<double>());
    EXPECT_LT((gradients[i] - gradients[0]).norm().item<double>(),
              1e-5 * gradients[0].norm().item<double>());
  }
}

}  // namespace
}  // namespace dino::model
