// Weights and images both sides of a golden compute for themselves, so that none is stored: element
// i of the array called `name` is a hash of (name, i). The Python twin, and the reasons for the
// scales, are in synthetic.py; both give the same float32 bits.
#pragma once
#include <torch/nn/module.h>
#include <torch/types.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace dino::golden {

/** `count` values in [-1, 1). */
inline std::vector<float> uniform(std::string_view name, std::int64_t count) {
  std::uint64_t hash = 0xCBF29CE484222325u;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3u;
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& value : values) {
    hash += 0x9E3779B97F4A7C15u;
    std::uint64_t z = hash;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    z ^= z >> 31;
    value = static_cast<float>(z >> 40) * 0x1p-23f - 1.0f;
  }
  return values;
}

inline torch::Tensor tensor_of(std::vector<float>& values, torch::IntArrayRef shape) {
  return torch::from_blob(values.data(), shape).clone();
}

/** Pixels as if normalized: [-2, 2). */
inline torch::Tensor image(std::string_view name, torch::IntArrayRef shape) {
  std::vector<float> values = uniform(name, c10::multiply_integers(shape));
  return tensor_of(values, shape) * 2;
}

inline bool ends_with_any(std::string_view name, std::initializer_list<std::string_view> ends) {
  for (const auto end : ends)
    if (name.ends_with(end)) return true;
  return false;
}

inline torch::Tensor parameter(std::string_view name, torch::IntArrayRef shape, double gain = 0.7) {
  std::vector<float> values = uniform(name, c10::multiply_integers(shape));
  float offset = 0;
  float scale = 0;
  if (name.ends_with("weight_g")) {
    offset = 1;
  } else if (name.ends_with("temperature")) {
    offset = 4, scale = 2;
  } else if (ends_with_any(name, {"cls_token", "pos_embed", "position_embeddings",
                                  "register_tokens", "reg_token", "storage_tokens"})) {
    scale = 0.5f;
  } else if (name.ends_with(".bias")) {
    scale = 0.1f;
  } else if (shape.size() == 1) {
    offset = 1, scale = 0.2f;
  } else {
    const auto fan_in = static_cast<double>(c10::multiply_integers(shape.slice(1)));
    if (ends_with_any(name, {"qkv.weight", "query.weight", "key.weight", "value.weight",
                             "q_proj.weight", "k_proj.weight", "v_proj.weight"}))
      gain *= 3;
    scale = static_cast<float>(gain / std::sqrt(fan_in));
  }
  for (float& value : values) value = offset + value * scale;
  return tensor_of(values, shape);
}

/** Overwrites the running mean and variance of every batch norm by their names. */
inline void fill_statistics(torch::nn::Module& module) {
  const torch::NoGradGuard no_grad;
  for (auto& item : module.named_buffers()) {
    const bool mean = item.key().ends_with("running_mean");
    if (!mean && !item.key().ends_with("running_var")) continue;
    std::vector<float> values = uniform(item.key(), item.value().numel());
    for (float& value : values) value = mean ? value * 0.3f : 1.0f + value * 0.5f;
    item.value().copy_(tensor_of(values, item.value().sizes()));
  }
}

/** Overwrites every parameter of a network by its name. */
inline void fill_parameters(torch::nn::Module& module, double gain = 0.7) {
  const torch::NoGradGuard no_grad;
  for (auto& item : module.named_parameters())
    item.value().copy_(parameter(item.key(), item.value().sizes(), gain));
}

}  // namespace dino::golden
