// Every way through the same Vision Transformer (plain composition, fused nodes, the repacked
// frozen network, the exported graph) against the papers' formulas in float64, over all options of
// arch::Vit, alone and together, and on every instruction set.
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <torch/types.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "dino/base/error.h"
#include "dino/cpu/bf16_rule.h"
#include "dino/model/onnx_evaluator.h"
#include "dino/model/vit.h"
#include "dino/onnx/export.h"
#include "tests/kernel_sets.h"
#include "tests/model/closeness.h"
#include "tests/model/vit_options.h"
#include "tests/model/vit_oracle.h"

namespace dino::model {
namespace {

constexpr double kTolerance = 2e-5;          // of the largest value: fp32 over the blocks
constexpr double kGradientTolerance = 1e-4;  // of a parameter's norm

torch::Tensor drawn_images(const arch::Architecture& a, std::int64_t batch, std::int64_t height,
                           std::int64_t width) {
  return torch::empty({batch, a.channels, height, width})
      .normal_(0, 1,
               at::detail::createCPUGenerator(
                   static_cast<std::uint64_t>(batch + 7 * height + 31 * width)));
}

VitOracle oracle_of(const arch::Architecture& a) {
  return {a, [](const arch::TensorSpec& spec) { return test::fake(spec); }};
}

/** One thread: the networks are tiny, and threads that wait for each other would take most time. */
class VitPasses : public testing::Test {
 protected:
  VitPasses() { at::set_num_threads(1); }
  ~VitPasses() override { at::set_num_threads(threads_); }

 private:
  const int threads_ = at::get_num_threads();
};

/** What the papers say about images of one size. */
struct Expected {
  torch::Tensor images, first_block, tokens, attention;
};

std::vector<Expected> expected_of(const arch::Architecture& a) {
  const VitOracle oracle = oracle_of(a);
  const std::int64_t p = a.vit.patch_size, side = a.image_size / p;
  std::vector<Expected> all;
  // The table's own grid; the same of an image that is no square; more patches, and a row of them
  // with a remainder.
  for (const auto& [batch, height, width] : {std::tuple{2L, side * p, side * p},
                                             {1L, side * p, side * p + 3},
                                             {3L, (side + 2) * p + 1, (side + 2) * p + 1},
                                             {1L, p + 2, 5 * p}}) {
    const torch::Tensor images = drawn_images(a, batch, height, width);
    const torch::Tensor last = oracle.tokens(images, a.vit.depth - 1);
    all.push_back({images, oracle.tokens(images, 0), oracle.final_norm(last),
                   oracle.attention(images, a.vit.depth - 1)});
  }
  return all;
}

/** CLS, registers and patches, as they lie in a sequence: [B, N, D]. */
torch::Tensor joined(const Features& features) {
  std::vector<torch::Tensor> parts = {features.cls.unsqueeze(1)};
  if (features.registers.defined()) parts.push_back(features.registers);
  parts.push_back(features.patches);
  return torch::cat(parts, 1);
}

void expect_features(VisionTransformer& vit, const Expected& expected) {
  const Features features = vit.forward_features(expected.images);
  EXPECT_LE(relative_error(joined(features), expected.tokens), kTolerance);
  const auto layers = vit.layers(expected.images, {0}, false);
  EXPECT_LE(relative_error(joined(layers[0]), expected.first_block), kTolerance);
  EXPECT_LE(
      relative_error(vit.attention(expected.images, -1, AttentionRows::All), expected.attention),
      kTolerance);
  for (const Tokens tokens : {Tokens::Cls, Tokens::ClsAndPatches}) {
    const auto groups = vit.forward_groups({{expected.images, {}}}, tokens);
    EXPECT_LE(relative_error(groups[0].cls, expected.tokens.select(1, 0)), kTolerance);
    EXPECT_EQ(groups[0].patches.defined(), tokens == Tokens::ClsAndPatches);
  }
}

void expect_graph(const onnx::Graph& graph, const Expected& expected) {
  auto outputs = evaluate(graph, {{"images", expected.images}});
  const std::int64_t prefix = expected.tokens.size(1) - outputs["patches"].size(1);
  EXPECT_LE(relative_error(outputs["cls"], expected.tokens.select(1, 0)), kTolerance);
  EXPECT_LE(relative_error(outputs["patches"], expected.tokens.slice(1, prefix)), kTolerance);
  EXPECT_EQ(outputs.contains("registers"), prefix > 1);
  if (prefix > 1) {
    EXPECT_LE(relative_error(outputs["registers"], expected.tokens.slice(1, 1, prefix)),
              kTolerance);
  }
}

void check_features(const std::vector<arch::Architecture>& all) {
  const torch::NoGradGuard no_grad;
  for (const arch::Architecture& a : all) {
    SCOPED_TRACE(a.name);
    const std::vector<Expected> sizes = expected_of(a);
    const auto plain = test::fake_vit(a);
    plain->eval();
    plain->set_fused(false);
    const weights::Weights weights = test::fake_weights({a, {}});
    const onnx::Graph graph = onnx::make_graph(weights);
    for (const Expected& expected : sizes) {
      SCOPED_TRACE(fmt::format("{} x {} px", expected.images.size(2), expected.images.size(3)));
      expect_features(*plain, expected);
      expect_graph(graph, expected);
    }
    test::on_every_kernel_set([&] {
      for (const bool is_frozen : {false, true}) {
        const auto vit = test::fake_vit(a);
        vit->eval();
        if (is_frozen) vit->freeze();
        for (const Expected& expected : sizes) {
          SCOPED_TRACE(fmt::format("{}, {} x {} px", is_frozen ? "frozen" : "fused",
                                   expected.images.size(2), expected.images.size(3)));
          expect_features(*vit, expected);
        }
      }
    });
  }
}

TEST_F(VitPasses, FeaturesOfEachOption) {
  check_features(test::vits_of_one_option());
}

TEST_F(VitPasses, FeaturesOfDrawnOptions) {
  check_features(test::drawn_vits(24, 1));
}

/** Teams of threads share an image, or each takes images of its own. */
TEST_F(VitPasses, FrozenFeaturesOnSeveralThreads) {
  const torch::NoGradGuard no_grad;
  for (const arch::Architecture& a : test::drawn_vits(2, 5)) {
    SCOPED_TRACE(a.name);
    const std::vector<Expected> sizes = expected_of(a);
    const auto vit = test::fake_vit(a);
    vit->freeze();
    for (const int threads : {2, 3}) {
      at::set_num_threads(threads);
      for (const Expected& expected : sizes) expect_features(*vit, expected);
    }
    at::set_num_threads(1);
  }
}

/** Rounded products: nearer to the formulas than the rounding allows to stray, and not on them. */
void expect_rounded(VisionTransformer& vit, const Expected& expected, Precision asked) {
  vit.set_precision(asked);
  const double most = asked == Precision::Bf16 ? 0.03 : 0.06;
  const Features features = vit.forward_features(expected.images);
  const double error = relative_error(joined(features), expected.tokens);
  EXPECT_LE(error, most) << name_of(asked);
  EXPECT_EQ(error > 5e-4, vit.computed().precision != Precision::Fp32) << name_of(asked);
  const auto cls = vit.forward_groups({{expected.images, {}}}, Tokens::Cls)[0].cls;
  EXPECT_LE(relative_error(cls, expected.tokens.select(1, 0)), most) << name_of(asked);
}

/** As on a processor where pairs of bf16 pay, whatever this one is. */
TEST_F(VitPasses, RoundedFeaturesOfDrawnOptions) {
  const cpu::ProcessorForTesting zen4({.avx512_bf16 = true, .amd = true});
  const torch::NoGradGuard no_grad;
  auto all = test::vits_of_one_option();
  for (const auto& drawn : test::drawn_vits(16, 4)) all.push_back(drawn);
  for (const arch::Architecture& a : all) {
    SCOPED_TRACE(a.name);
    const std::vector<Expected> sizes = expected_of(a);
    const bool has_bytes = a.vit.dim / a.vit.heads % 2 == 0;
    test::on_every_kernel_set([&] {
      for (const bool is_frozen : {false, true}) {
        SCOPED_TRACE(is_frozen ? "frozen" : "fused");
        const auto vit = test::fake_vit(a);
        vit->eval();
        if (is_frozen) vit->freeze();
        for (const Expected& expected : {sizes[0], sizes[2]}) {
          expect_rounded(*vit, expected, Precision::Bf16);
          if (is_frozen && has_bytes) expect_rounded(*vit, expected, Precision::Int8);
        }
      }
    });
  }
}

/** Crops of two sizes, which pass together in training. */
struct TrainingCase {
  std::vector<CropGroup> groups;
  Tokens tokens = Tokens::ClsAndPatches;
  double drop_path = 0;
  DropPath drop_path_rule = DropPath::Linear;
};

/** A number that depends on every value of the features, each in another way. */
torch::Tensor weighed(const std::vector<GroupFeatures>& features) {
  torch::Tensor total = torch::zeros({}, torch::kFloat64);
  for (const auto& group : features)
    for (const auto& x : {group.cls, group.patches}) {
      if (!x.defined()) continue;
      const auto weights = torch::arange(x.numel(), torch::kFloat64).view(x.sizes()).sin();
      total = total + (x.to(torch::kFloat64) * weights).sum();
    }
  return total;
}

std::vector<GroupFeatures> training_features(const VitOracle& oracle, const arch::Architecture& a,
                                             const TrainingCase& c, torch::Generator draws) {
  TokenLayout layout;
  for (const auto& group : c.groups) layout.add(group.images.size(0), 1);
  const torch::Tensor drop =
      draw_drop_path(c.drop_path_rule, c.drop_path, a.vit.depth, layout, draws);
  std::vector<GroupFeatures> features;
  std::int64_t first = 0;
  for (const auto& group : c.groups) {
    const std::int64_t b = group.images.size(0);
    const torch::Tensor tokens = oracle.final_norm(
        oracle.tokens(group.images, a.vit.depth - 1,
                      {group.masks, drop.defined() ? drop.narrow(2, first, b) : drop}),
        /*is_local=*/first > 0);
    features.push_back({tokens.select(1, 0), tokens.slice(1, a.prefix_tokens())});
    if (c.tokens == Tokens::Cls) features.back().patches = torch::Tensor();
    first += b;
  }
  return features;
}

/** Outputs and every gradient. */
void expect_training(const arch::Architecture& a, const TrainingCase& c, bool fused,
                     const std::vector<GroupFeatures>& expected, const VitOracle& oracle) {
  auto draws = at::detail::createCPUGenerator(1);
  const auto vit =
      test::fake_vit(a, {.drop_path = c.drop_path, .drop_path_rule = c.drop_path_rule}, draws);
  draws.set_current_seed(5);  // as the oracle's
  vit->train();
  vit->set_fused(fused);
  const auto features = vit->forward_groups(c.groups, c.tokens);
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_LE(relative_error(features[i].cls.detach(), expected[i].cls.detach()), kTolerance);
    ASSERT_EQ(features[i].patches.defined(), expected[i].patches.defined());
    if (!expected[i].patches.defined()) continue;
    EXPECT_LE(relative_error(features[i].patches.detach(), expected[i].patches.detach()),
              kTolerance);
  }
  weighed(features).backward();
  const auto parameters = vit->named_parameters();
  for (const auto& [name, leaf] : oracle.leaves()) {
    const torch::Tensor& found = parameters[name].grad();
    const torch::Tensor& wanted = leaf.grad();
    const double size = wanted.defined() ? wanted.norm().item<double>() : 0;
    const double error = !found.defined()   ? size
                         : wanted.defined() ? (found - wanted).norm().item<double>()
                                            : found.norm().item<double>();
    EXPECT_LE(error, kGradientTolerance * size + 1e-6) << name;
  }
}

void check_training(const std::vector<arch::Architecture>& all) {
  int which = 0;
  for (const arch::Architecture& a : all) {
    SCOPED_TRACE(a.name);
    const std::int64_t p = a.vit.patch_size, side = a.image_size / p;
    TrainingCase c{.groups = {{drawn_images(a, 2, side * p, side * p), {}},
                              {drawn_images(a, 3, 2 * p, p + 1), {}}},
                   .tokens = ++which % 2 == 0 ? Tokens::Cls : Tokens::ClsAndPatches,
                   .drop_path = which % 3 == 0 ? 0.5 : 0,
                   .drop_path_rule = which % 6 == 0 ? DropPath::Subset : DropPath::Linear};
    if (a.vit.mask_token)
      c.groups[0].masks = torch::rand({2, side * side}, at::detail::createCPUGenerator(3)).lt(0.4);
    const VitOracle oracle = oracle_of(a);
    const auto expected = training_features(oracle, a, c, at::detail::createCPUGenerator(5));
    weighed(expected).backward();
    expect_training(a, c, /*fused=*/false, expected, oracle);
    test::on_every_kernel_set([&] { expect_training(a, c, /*fused=*/true, expected, oracle); });
  }
}

TEST_F(VitPasses, TrainingWithEachOption) {
  check_training(test::vits_of_one_option());
}

TEST_F(VitPasses, TrainingWithDrawnOptions) {
  check_training(test::drawn_vits(40, 2));
}

/** What a pass cannot do, it says. */
TEST_F(VitPasses, MasksWithoutATokenForThemAreRefusedByAll) {
  const arch::Architecture a = test::small_vit({});
  const torch::Tensor images = drawn_images(a, 1, 24, 24),
                      masks = torch::ones({1, 9}, torch::kBool);
  for (const bool fused : {false, true})
    for (const bool is_frozen : {false, true}) {
      const auto vit = test::fake_vit(a);
      vit->set_fused(fused);
      if (is_frozen) vit->freeze();
      EXPECT_THROW(vit->forward_groups({{images, masks}}, Tokens::Cls), Error);
    }
}

/** Masks leave the frozen network's own way, not its result. */
TEST_F(VitPasses, AFrozenNetworkMasksToo) {
  const torch::NoGradGuard no_grad;
  for (const arch::Architecture& option : test::drawn_vits(8, 3)) {
    arch::Architecture a = option;
    a.vit.mask_token = true;
    SCOPED_TRACE(a.name);
    const std::int64_t px = a.image_size / a.vit.patch_size * a.vit.patch_size;
    const torch::Tensor images = drawn_images(a, 2, px, px);
    const torch::Tensor masks = torch::rand({2, 9}, at::detail::createCPUGenerator(3)).lt(0.4);
    const VitOracle oracle = oracle_of(a);
    const auto expected = oracle.final_norm(oracle.tokens(images, a.vit.depth - 1, {masks, {}}));
    const auto vit = test::fake_vit(a);
    vit->freeze();
    const auto found = vit->forward_groups({{images, masks}}, Tokens::ClsAndPatches)[0];
    EXPECT_LE(relative_error(found.cls, expected.select(1, 0)), kTolerance);
    EXPECT_LE(relative_error(found.patches, expected.slice(1, a.prefix_tokens())), kTolerance);
  }
}

}  // namespace
}  // namespace dino::model
