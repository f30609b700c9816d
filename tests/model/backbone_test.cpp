// Every architecture is built with exactly the tensors its description promises.
#include "dino/model/backbone.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <map>

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
  arch::Architecture grey;
  grey.channels = 1;
  grey.family = arch::Family::ConvNext;
  grey.convnext = {.depths = {1, 2, 3, 1}, .widths = {8, 16, 24, 40}};
  expect_promised_tensors(grey);
  grey.family = arch::Family::Xcit;
  grey.xcit = {.dim = 48, .depth = 2, .heads = 4, .patch_size = 8, .cls_depth = 1};
  expect_promised_tensors(grey);
  grey.family = arch::Family::ResNet50;
  expect_promised_tensors(grey);
  check_zoo(0, 40);
}

TEST(MakeBackboneSlow, LargeOnesHaveThePromisedTensors) {
  check_zoo(40, 1e9);
}

TEST(MakeBackbone, RefusesWhatContradictsItself) {
  arch::Architecture odd;
  odd.family = arch::Family::Xcit;
  odd.xcit.heads = 7;
  EXPECT_THROW(make_backbone(odd, {}, at::detail::createCPUGenerator(1)), Error);
}

}  // namespace
}  // namespace dino::model
