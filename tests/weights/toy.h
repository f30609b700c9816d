// Small networks of every kind with tensors of distinct bytes.
#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "dino/arch/zoo.h"
#include "dino/base/error.h"
#include "dino/base/rng.h"
#include "dino/weights/backbone_weights.h"

namespace dino::weights::testing {

/** A published backbone cut down: heads of 64 as everywhere, two blocks. */
inline arch::Network toy_network(const std::string& zoo_name) {
  arch::Network network = arch::zoo_entry(zoo_name).network;
  arch::Architecture& a = network.architecture;
  if (a.family == arch::Family::ResNet50) return network;
  a.name.clear();
  const bool gated = a.vit.ffn == arch::Ffn::SwiGlu;
  a.vit.dim = 128;
  a.vit.depth = 2;
  a.vit.heads = 2;
  a.vit.hidden = gated ? 344 : 512;  // SwiGLU: 2/3 of four times, up to a multiple of 8
  if (a.family == arch::Family::Vit && a.vit.positions != arch::Positions::Rope)
    a.image_size = 4 * static_cast<int>(a.vit.patch_size);
  a.convnext = {.depths = {1, 2, 1, 1}, .widths = {8, 16, 24, 32}};
  a.xcit.dim = 64;
  a.xcit.depth = 2;
  a.xcit.heads = 4;
  return network;
}

/** Bytes for these tensors: normal numbers, counters zero */
inline std::shared_ptr<std::vector<std::byte>> random_bytes(const arch::TensorSpec& spec,
                                                            Rng& rng) {
  const auto dtype = spec.integer ? format::DType::I64 : format::DType::F32;
  const auto count = static_cast<std::size_t>(format::element_count(spec.shape));
  auto bytes = std::make_shared<std::vector<std::byte>>(count * format::item_bytes(dtype));
  if (spec.integer) return bytes;
  auto* values = reinterpret_cast<float*>(bytes->data());
  for (std::size_t i = 0; i < count; ++i) values[i] = static_cast<float>(rng.normal());
  return bytes;
}

inline Weights random_weights(const arch::Network& network, std::uint64_t seed = 1) {
  Weights w;
  w.network = network;
  Rng rng(seed);
  for (const auto& spec : arch::tensors(network.architecture)) {
    auto bytes = random_bytes(spec, rng);
    if (spec.name.ends_with("attn.qkv.bias") && network.architecture.vit.mask_key_bias) {
      const std::size_t third = bytes->size() / 3;
      std::fill_n(bytes->begin() + static_cast<std::ptrdiff_t>(third), third, std::byte{0});
    }
    w.tensors.push_back({spec.name, spec.integer ? format::DType::I64 : format::DType::F32,
                         spec.shape, *bytes, bytes});
  }
  return w;
}

inline Head random_head(std::string name, const HeadShape& shape, std::uint64_t seed = 2) {
  Head head{.name = std::move(name), .shape = shape, .tensors = {}};
  Rng rng(seed);
  for (const auto& spec : head_tensors(shape)) {
    const auto bytes = random_bytes(spec, rng);
    head.tensors.push_back({spec.name, spec.integer ? format::DType::I64 : format::DType::F32,
                            spec.shape, *bytes, bytes});
  }
  return head;
}

/** What `action` throws, or "(no error)". */
inline std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "(no error)";
}

inline void expect_same_heads(const std::vector<Head>& actual, const std::vector<Head>& expected) {
  ASSERT_EQ(actual.size(), expected.size());
  for (std::size_t h = 0; h < actual.size(); ++h) {
    SCOPED_TRACE(expected[h].name);
    EXPECT_EQ(actual[h].name, expected[h].name);
    EXPECT_EQ(actual[h].shape, expected[h].shape);
    ASSERT_EQ(actual[h].tensors.size(), expected[h].tensors.size());
    for (std::size_t i = 0; i < actual[h].tensors.size(); ++i) {
      EXPECT_EQ(actual[h].tensors[i].name, expected[h].tensors[i].name);
      EXPECT_TRUE(std::ranges::equal(actual[h].tensors[i].bytes, expected[h].tensors[i].bytes))
          << expected[h].tensors[i].name;
    }
  }
}

inline const std::vector<std::string>& kinds() {
  static const std::vector<std::string> names = {
      "dino_vits16",       "dino_resnet50",     "dino_xcit_small_12_p16", "dinov2_vits14",
      "dinov2_vitg14",     "dinov2_vits14_reg", "dinov2_vitg14_reg",      "dinov3_vits16",
      "dinov3_vits16plus", "dinov3_vit7b16",    "dinov3_convnext_tiny"};
  return names;
}

}  // namespace dino::weights::testing
