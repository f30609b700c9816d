// Vision Transformers of every option: each alone, then drawn together, for tests of all passes.
#pragma once
#include <torch/types.h>

#include <string>
#include <vector>

#include "dino/arch/architecture.h"
#include "dino/base/rng.h"
#include "dino/model/vit.h"
#include "tests/onnx/fake_weights.h"

namespace dino::test {

/** Changes one thing about a small ViT. Those that only RoPE reads turn it on. */
struct VitOption {
  const char* name;
  void (*set)(arch::Architecture&);
};

inline const std::vector<VitOption>& vit_options() {
  using arch::Architecture;
  using arch::Positions;
  using arch::RopeCoordinates;
  static const std::vector<VitOption> options = {
      {"heads of width 10", [](Architecture& a) { a.vit.dim = 30, a.vit.heads = 3; }},
      {"heads of width 5", [](Architecture& a) { a.vit.dim = 15, a.vit.heads = 3; }},
      {"one head", [](Architecture& a) { a.vit.heads = 1; }},
      {"odd hidden", [](Architecture& a) { a.vit.hidden = 37; }},
      {"one block", [](Architecture& a) { a.vit.depth = 1; }},
      {"odd patch", [](Architecture& a) { a.vit.patch_size = 5, a.image_size = 19; }},
      {"gray", [](Architecture& a) { a.channels = 1; }},
      {"five channels", [](Architecture& a) { a.channels = 5; }},
      {"SwiGLU", [](Architecture& a) { a.vit.ffn = arch::Ffn::SwiGlu; }},
      {"no qkv bias", [](Architecture& a) { a.vit.qkv_bias = false; }},
      {"layer scale", [](Architecture& a) { a.vit.layer_scale = true; }},
      {"mask token", [](Architecture& a) { a.vit.mask_token = true; }},
      {"one register", [](Architecture& a) { a.vit.registers = 1; }},
      {"registers", [](Architecture& a) { a.vit.registers = 4; }},
      {"norm eps", [](Architecture& a) { a.vit.norm_eps = 1e-2; }},
      {"norms untied", [](Architecture& a) { a.vit.untie_cls_and_patch_norms = true; }},
      {"local norm", [](Architecture& a) { a.vit.local_cls_norm = true; }},
      {"size", [](Architecture& a) { a.vit.positions = Positions::LearnedSize; }},
      {"antialias", [](Architecture& a) { a.vit.positions = Positions::LearnedAntialias; }},
      {"RoPE", [](Architecture& a) { a.vit.positions = Positions::Rope; }},
      {"masked key bias",
       [](Architecture& a) { a.vit.mask_key_bias = true, a.vit.positions = Positions::Rope; }},
      {"RoPE base",
       [](Architecture& a) { a.vit.rope_base = 7, a.vit.positions = Positions::Rope; }},
      {"RoPE periods",
       [](Architecture& a) { a.vit.rope_periods = {3}, a.vit.positions = Positions::Rope; }},
      {"RoPE max",
       [](Architecture& a) {
         a.vit.rope_coordinates = RopeCoordinates::Max, a.vit.positions = Positions::Rope;
       }},
      {"RoPE min",
       [](Architecture& a) {
         a.vit.rope_coordinates = RopeCoordinates::Min, a.vit.positions = Positions::Rope;
       }},
  };
  return options;
}

/** A ViT of DINO with a table of 3 x 3 positions, changed by `options`. */
inline arch::Architecture small_vit(const std::vector<const VitOption*>& options) {
  arch::Architecture a;
  a.image_size = 24;
  a.vit = {.dim = 24, .depth = 2, .heads = 2, .hidden = 40, .patch_size = 8};
  for (const VitOption* option : options) {
    if (!a.name.empty()) a.name += " + ";
    a.name += option->name;
    option->set(a);
  }
  arch::Vit& v = a.vit;
  if (v.positions == arch::Positions::Rope && v.dim / v.heads % 4 != 0) v.dim = 12 * v.heads;
  if (!v.rope_periods.empty()) {  // as many as the heads' width asks for
    v.rope_periods.clear();
    for (std::int64_t k = 0; k < v.dim / v.heads / 4; ++k)
      v.rope_periods.push_back(1.1 + 2.3 * static_cast<double>(k));
  }
  return a;
}

/** DINO's own, then each option alone. */
inline std::vector<arch::Architecture> vits_of_one_option() {
  std::vector<arch::Architecture> all = {small_vit({})};
  for (const VitOption& option : vit_options()) all.push_back(small_vit({&option}));
  return all;
}

/** `count` ViTs, each of about a quarter of the options. */
inline std::vector<arch::Architecture> drawn_vits(int count, std::uint64_t seed) {
  std::vector<arch::Architecture> all;
  for (int i = 0; i < count; ++i) {
    Rng rng(seed, 0, static_cast<std::uint64_t>(i));
    std::vector<const VitOption*> options;
    for (const VitOption& option : vit_options())
      if (rng.bernoulli(0.25)) options.push_back(&option);
    all.push_back(small_vit(options));
  }
  return all;
}

/** A tensor of fake_weights(). */
inline torch::Tensor fake(const arch::TensorSpec& spec) {
  return torch::tensor(fake_tensor(spec)).view(spec.shape);
}

/** The architecture with fake_weights(), able to learn. */
inline std::shared_ptr<model::VisionTransformer> fake_vit(
    const arch::Architecture& architecture, const model::TrainingOptions& options = {},
    torch::Generator generator = {}) {
  auto vit = std::make_shared<model::VisionTransformer>(architecture, options, generator);
  const torch::NoGradGuard no_grad;
  auto parameters = vit->named_parameters();
  for (const arch::TensorSpec& spec : arch::tensors(architecture))
    parameters[spec.name].copy_(fake(spec));
  return vit;
}

}  // namespace dino::test
