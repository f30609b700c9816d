// Complete weights of any architecture without a file or Torch: element i of a tensor is drawn from
// a stream of the tensor's name. Scales are those of trained networks, so that nothing vanishes.
#pragma once
#include <cmath>
#include <cstring>
#include <memory>
#include <ostream>
#include <span>
#include <string_view>
#include <vector>

#include "dino/base/hash.h"
#include "dino/base/rng.h"
#include "dino/weights/backbone_weights.h"

namespace dino::arch {
/** What gtest calls a network in the names of tests. */
inline void PrintTo(const Network& network, std::ostream* out) {
  *out << network.architecture.name;
}
}  // namespace dino::arch

namespace dino::test {

inline std::vector<float> fake_tensor(const arch::TensorSpec& spec) {
  const std::string_view name = spec.name;
  double offset = 0, scale = 0.5;
  if (name.ends_with("running_var")) {
    offset = 1;
  } else if (name.ends_with("temperature")) {
    offset = 4, scale = 2;
  } else if (name.ends_with(".bias") || name.ends_with("running_mean")) {
    scale = 0.1;
  } else if (spec.shape.size() == 1) {  // gains
    offset = 1, scale = 0.2;
  } else if (name.ends_with(".weight")) {
    double fan_in = 1;
    for (std::size_t i = 1; i < spec.shape.size(); ++i)
      fan_in *= static_cast<double>(spec.shape[i]);
    scale = (name.ends_with("qkv.weight") ? 2.1 : 0.7) / std::sqrt(fan_in);
  }
  Rng rng(xxh3_64(std::as_bytes(std::span(name))));
  std::vector<float> values(static_cast<std::size_t>(format::element_count(spec.shape)));
  for (float& value : values) value = static_cast<float>(offset + scale * rng.uniform(-1, 1));
  return values;
}

inline weights::Weights fake_weights(const arch::Network& network) {
  weights::Weights weights;
  weights.network = network;
  for (const arch::TensorSpec& spec : arch::tensors(network.architecture)) {
    const auto bytes = std::make_shared<std::vector<std::byte>>();
    if (spec.integer) {
      bytes->resize(sizeof(std::int64_t));
    } else {
      const std::vector<float> values = fake_tensor(spec);
      bytes->resize(values.size() * sizeof(float));
      std::memcpy(bytes->data(), values.data(), bytes->size());
    }
    weights.tensors.push_back({spec.name, spec.integer ? format::DType::I64 : format::DType::F32,
                               spec.shape, *bytes, bytes});
  }
  return weights;
}

/** Networks of a few thousand parameters, by name: every option of every family in one of them. */
inline std::vector<arch::Network> tiny_networks() {
  using arch::Positions;
  arch::Vit small;
  small.dim = 32, small.depth = 2, small.heads = 2, small.hidden = 64, small.patch_size = 8;
  std::vector<arch::Network> networks;
  const auto add = [&](const char* name, arch::Architecture architecture) {
    architecture.name = name;
    architecture.image_size = 64;
    arch::Network network{std::move(architecture), {}};
    network.preprocess.image_size = 64;
    network.preprocess.channels = network.architecture.channels;
    network.preprocess.mean.resize(static_cast<std::size_t>(network.architecture.channels));
    network.preprocess.std.resize(network.preprocess.mean.size());
    networks.push_back(std::move(network));
  };
  const auto add_vit = [&](const char* name, auto change) {
    arch::Architecture a;
    a.vit = small;
    change(a);
    add(name, std::move(a));
  };
  add_vit("vit_offset", [](auto&) {});
  add_vit("vit_gray", [](auto& a) { a.channels = 1; });
  add_vit("vit_size", [](auto& a) { a.vit.positions = Positions::LearnedSize; });
  add_vit("vit_antialias_registers", [](auto& a) {
    a.vit.positions = Positions::LearnedAntialias;
    a.vit.registers = 4;
    a.vit.layer_scale = a.vit.mask_token = true;
  });
  add_vit("vit_swiglu", [](auto& a) {
    a.vit.ffn = arch::Ffn::SwiGlu;
    a.vit.hidden = 40;
    a.vit.layer_scale = true;
  });
  for (const auto& [name, coordinates] : {std::pair{"vit_rope", arch::RopeCoordinates::Separate},
                                          std::pair{"vit_rope_max", arch::RopeCoordinates::Max},
                                          std::pair{"vit_rope_min", arch::RopeCoordinates::Min}})
    add_vit(name, [coordinates = coordinates](auto& a) {
      a.vit.positions = Positions::Rope;
      a.vit.rope_coordinates = coordinates;
      a.vit.registers = 3;
      a.vit.mask_key_bias = a.vit.layer_scale = true;
      a.vit.norm_eps = 1e-5;
    });
  add_vit("vit_rope_no_bias", [](auto& a) {
    a.vit.positions = Positions::Rope;
    a.vit.qkv_bias = false;
    a.vit.ffn = arch::Ffn::SwiGlu;
    a.vit.untie_cls_and_patch_norms = a.vit.local_cls_norm = true;
    a.vit.rope_base = 10;
  });
  arch::Architecture convnext;
  convnext.family = arch::Family::ConvNext;
  convnext.convnext = {.depths = {1, 1, 2, 1}, .widths = {8, 12, 16, 24}};
  add("convnext", std::move(convnext));
  arch::Architecture xcit;
  xcit.family = arch::Family::Xcit;
  xcit.xcit = {.dim = 32, .depth = 2, .heads = 4, .patch_size = 8};
  add("xcit", std::move(xcit));
  return networks;
}

}  // namespace dino::test
