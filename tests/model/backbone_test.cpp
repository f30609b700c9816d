// Every architecture is built with exactly the tensors its description promises.
#include "dino/model/backbone.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <torch/types.h>

#include <chrono>
#include <map>
#include <thread>

#include "dino/arch/zoo.h"
#include "dino/base/error.h"

namespace dino::model {
namespace {

using Tensors = std::map<std::string, std::pair<std::vector<std::int64_t>, bool>>;

bool is_built(const arch::Architecture& architecture) {
  return architecture.family != arch::Family::Vit;  // those have a builder of their own
}

void expect_promised_tensors(const arch::Architecture& architecture) {
  SCOPED_TRACE(architecture.name);
  const auto backbone = make_backbone(architecture, {}, at::detail::createCPUGenerator(1));
  EXPECT_EQ(backbone->dim(), architecture.dim());
  Tensors built, promised;
  for (const auto& all : {backbone->named_parameters(), backbone->named_buffers()})
    for (const auto& item : all)
      built[item.key()] = {item.value().sizes().vec(), item.value().scalar_type() == torch::kInt64};
  for (const auto& spec : arch::tensors(architecture))
    promised[spec.name] = {spec.shape, spec.integer};
  EXPECT_EQ(built, promised);
}

void check_zoo(double from_m, double to_m) {
  for (const auto& entry : arch::zoo()) {
    const auto& architecture = entry.network.architecture;
    if (is_built(architecture) && entry.parameters_m >= from_m && entry.parameters_m < to_m)
      expect_promised_tensors(architecture);
  }
}

TEST(MakeBackbone, HasThePromisedTensors) {
  arch::Architecture gray;
  gray.channels = 1;
  gray.family = arch::Family::ConvNext;
  gray.convnext = {.depths = {1, 2, 3, 1}, .widths = {8, 16, 24, 40}};
  expect_promised_tensors(gray);
  gray.family = arch::Family::Xcit;
  gray.xcit = {.dim = 48, .depth = 2, .heads = 4, .patch_size = 8, .cls_depth = 1};
  expect_promised_tensors(gray);
  gray.family = arch::Family::ResNet50;
  expect_promised_tensors(gray);
  check_zoo(0, 40);
}

TEST(MakeBackboneSlow, LargeOnesHaveThePromisedTensors) {
  check_zoo(40, 1e9);
}

arch::Architecture small(arch::Family family) {
  arch::Architecture architecture;
  architecture.family = family;
  architecture.image_size = 32;
  architecture.vit = {.dim = 32, .depth = 3, .heads = 2, .hidden = 64, .patch_size = 8};
  architecture.convnext = {.depths = {1, 1, 1, 1}, .widths = {8, 16, 24, 40}};
  architecture.xcit = {.dim = 48, .depth = 2, .heads = 4, .patch_size = 8, .cls_depth = 1};
  return architecture;
}

constexpr arch::Family kFamilies[] = {arch::Family::Vit, arch::Family::ResNet50,
                                      arch::Family::ConvNext, arch::Family::Xcit};

/** What is written down is what was computed, or the precision is refused. */
TEST(Backbone, SaysWhatItComputes) {
  for (const arch::Family family : kFamilies)
    for (const Precision precision : {Precision::Fp32, Precision::Bf16, Precision::Int8}) {
      auto backbone = make_backbone(small(family), {}, at::detail::createCPUGenerator(1));
      backbone->freeze();
      const auto images = torch::randn({2, 3, 64, 64});
      const auto exact = backbone->forward_features(images).cls;
      if (precision == Precision::Int8 && family != arch::Family::Vit) {
        EXPECT_THROW(backbone->set_precision(precision), Error);
        EXPECT_EQ(backbone->computed().precision, Precision::Fp32);
        continue;
      }
      backbone->set_precision(precision);
      const Computed computed = backbone->computed();
      EXPECT_NE(computed.precision == Precision::Fp32,
                !torch::equal(backbone->forward_features(images).cls, exact))
          << name_of(computed.precision) << " of family " << static_cast<int>(family);
      EXPECT_TRUE(computed.kernel.starts_with(family == arch::Family::Vit ? "dino " : "torch "));
      if (precision != Precision::Bf16) {
        EXPECT_EQ(computed.precision, precision);
      }
    }
}

/** A head of odd width runs in Torch, which has no 8 bits. */
TEST(Backbone, RefusesInt8ForHeadsOfOddWidth) {
  auto architecture = small(arch::Family::Vit);
  architecture.vit.dim = 30;
  architecture.vit.heads = 2;
  auto backbone = make_backbone(architecture, {}, at::detail::createCPUGenerator(1));
  backbone->freeze();
  EXPECT_THROW(backbone->set_precision(Precision::Int8), Error);
  EXPECT_TRUE(backbone->computed().kernel.starts_with("torch "));
}

TEST(Backbone, APassEndsAtTheNextBlockOnceAskedToStop) {
  for (const arch::Family family : kFamilies)
    for (const bool frozen : {true, false}) {
      auto backbone = make_backbone(small(family), {}, at::detail::createCPUGenerator(1));
      backbone->eval();
      if (frozen) backbone->freeze();
      const auto images = torch::randn({5, 3, 64, 64});
      const torch::NoGradGuard no_grad;
      const auto expected = backbone->forward_features(images).cls;
      std::stop_source source;
      backbone->set_stop(source.get_token());
      EXPECT_TRUE(torch::equal(backbone->forward_features(images).cls, expected));
      source.request_stop();
      const bool is_fused_training_path = family == arch::Family::Vit && !frozen;
      if (!is_fused_training_path) {
        EXPECT_THROW(backbone->forward_features(images), Stopped);
      }
      EXPECT_THROW(backbone->layers(images, {0}, false), Stopped);
      backbone->set_stop({});
      EXPECT_TRUE(torch::equal(backbone->forward_features(images).cls, expected));
    }
}

/** Threads of a team wait for each other at every block: a stop at any time must reach all. */
TEST(Backbone, AStopAtAnyTimeEndsAllThreadsOfAPass) {
  auto architecture = small(arch::Family::Vit);
  architecture.vit.depth = 6;
  auto backbone = make_backbone(architecture, {}, at::detail::createCPUGenerator(1));
  backbone->freeze();
  const int threads = at::get_num_threads();
  at::set_num_threads(2);
  for (const std::int64_t batch : {1, 2, 7})
    for (int i = 0; i < 8; ++i) {
      std::stop_source source;
      backbone->set_stop(source.get_token());
      std::jthread stopper([&] {
        std::this_thread::sleep_for(std::chrono::microseconds(100 * i));
        source.request_stop();
      });
      try {
        for (int pass = 0; pass < 1000; ++pass)
          backbone->forward_features(torch::ones({batch, 3, 128, 128}));
        FAIL() << "never stopped";
      } catch (const Stopped&) {
      }
    }
  at::set_num_threads(threads);
}

/** Inside another parallel loop, and under a limit of OpenMP's, fewer threads come than were asked
 * for. */
TEST(Backbone, ATeamIsAsManyThreadsAsCome) {
  const torch::NoGradGuard no_grad;
  auto backbone = make_backbone(small(arch::Family::Vit), {}, at::detail::createCPUGenerator(1));
  backbone->freeze();
  const int threads = at::get_num_threads();
  for (const std::int64_t batch : {1, 2, 5}) {
    const torch::Tensor images = torch::rand({batch, 3, 64, 96});
    at::set_num_threads(1);
    const torch::Tensor expected = backbone->forward_features(images).patches;
    for (const int asked : {2, 3, 4, 7}) {
      at::set_num_threads(asked);
      EXPECT_TRUE(torch::equal(backbone->forward_features(images).patches, expected)) << asked;
      at::parallel_for(0, 1, 1, [&](std::int64_t, std::int64_t) {
        EXPECT_TRUE(torch::equal(backbone->forward_features(images).patches, expected)) << asked;
      });
    }
  }
  at::set_num_threads(threads);
}

TEST(MakeBackbone, RefusesWhatContradictsItself) {
  arch::Architecture odd;
  odd.family = arch::Family::Xcit;
  odd.xcit.heads = 7;
  EXPECT_THROW(make_backbone(odd, {}, at::detail::createCPUGenerator(1)), Error);
}

}  // namespace
}  // namespace dino::model
