#include "dino/arch/architecture.h"

#include <array>
#include <cmath>
#include <utility>

#include "dino/base/error.h"

namespace dino::arch {
namespace {

using Shape = std::vector<std::int64_t>;

/** Collects specs under a nested name prefix. */
class SpecList {
 public:
  void add(const std::string& name, Shape shape) { specs_.push_back({name, std::move(shape)}); }
  void add_affine(const std::string& name, Shape weight, bool bias = true) {
    const std::int64_t out = weight.front();
    add(name + ".weight", std::move(weight));
    if (bias) add(name + ".bias", {out});
  }
  void add_norm(const std::string& name, std::int64_t dim) { add_affine(name, {dim}); }
  void add_counter(const std::string& name) { specs_.push_back({name, {}, true}); }
  std::vector<TensorSpec> take() { return std::move(specs_); }

 private:
  std::vector<TensorSpec> specs_;
};

void add_vit(SpecList& list, const Architecture& architecture) {
  const Vit& v = architecture.vit;
  const std::int64_t d = v.dim, p = v.patch_size;
  list.add("cls_token", {1, 1, d});
  if (v.positions != Positions::Rope) {
    const std::int64_t side = architecture.image_size / p;
    list.add("pos_embed", {1, 1 + side * side, d});
  }
  if (v.registers > 0) list.add("register_tokens", {1, v.registers, d});
  if (v.mask_token) list.add("mask_token", {1, d});
  list.add_affine("patch_embed.proj", {d, architecture.channels, p, p});
  for (std::int64_t i = 0; i < v.depth; ++i) {
    const std::string block = "blocks." + std::to_string(i) + ".";
    list.add_norm(block + "norm1", d);
    list.add_affine(block + "attn.qkv", {3 * d, d}, v.qkv_bias);
    list.add_affine(block + "attn.proj", {d, d});
    if (v.layer_scale) list.add(block + "ls1.gamma", {d});
    list.add_norm(block + "norm2", d);
    if (v.ffn == Ffn::Mlp) {
      list.add_affine(block + "mlp.fc1", {v.hidden, d});
      list.add_affine(block + "mlp.fc2", {d, v.hidden});
    } else {
      list.add_affine(block + "mlp.w12", {2 * v.hidden, d});
      list.add_affine(block + "mlp.w3", {d, v.hidden});
    }
    if (v.layer_scale) list.add(block + "ls2.gamma", {d});
  }
  list.add_norm("norm", d);
  if (v.untie_cls_and_patch_norms) list.add_norm("cls_norm", d);
  if (v.local_cls_norm) list.add_norm("local_cls_norm", d);
}

void add_convnext(SpecList& list, const Architecture& architecture) {
  const ConvNext& c = architecture.convnext;
  for (std::size_t s = 0; s < c.depths.size(); ++s) {
    const std::string down = "downsample_layers." + std::to_string(s) + ".";
    const std::int64_t width = c.widths[s];
    if (s == 0) {
      list.add_affine(down + "0", {width, architecture.channels, 4, 4});
      list.add_norm(down + "1", width);
    } else {
      list.add_norm(down + "0", c.widths[s - 1]);
      list.add_affine(down + "1", {width, c.widths[s - 1], 2, 2});
    }
  }
  for (std::size_t s = 0; s < c.depths.size(); ++s) {
    const std::int64_t width = c.widths[s];
    for (std::int64_t b = 0; b < c.depths[s]; ++b) {
      const std::string block = "stages." + std::to_string(s) + "." + std::to_string(b) + ".";
      list.add(block + "gamma", {width});
      list.add_affine(block + "dwconv", {width, 1, 7, 7});
      list.add_norm(block + "norm", width);
      list.add_affine(block + "pwconv1", {4 * width, width});
      list.add_affine(block + "pwconv2", {width, 4 * width});
    }
  }
  list.add_norm("norm", c.widths.back());
}

void add_batch_norm(SpecList& list, const std::string& name, std::int64_t width) {
  list.add_norm(name, width);
  list.add(name + ".running_mean", {width});
  list.add(name + ".running_var", {width});
  list.add_counter(name + ".num_batches_tracked");
}

/** torchvision's names. */
void add_resnet50(SpecList& list, const Architecture& architecture) {
  list.add("conv1.weight", {64, architecture.channels, 7, 7});
  add_batch_norm(list, "bn1", 64);
  constexpr std::array<int, 4> kDepths = {3, 4, 6, 3};
  std::int64_t in = 64;
  for (std::size_t s = 0; s < kDepths.size(); ++s) {
    const std::int64_t width = 64 << s, out = 4 * width;
    for (int b = 0; b < kDepths[s]; ++b) {
      const std::string block = "layer" + std::to_string(s + 1) + "." + std::to_string(b) + ".";
      list.add(block + "conv1.weight", {width, in, 1, 1});
      add_batch_norm(list, block + "bn1", width);
      list.add(block + "conv2.weight", {width, width, 3, 3});
      add_batch_norm(list, block + "bn2", width);
      list.add(block + "conv3.weight", {out, width, 1, 1});
      add_batch_norm(list, block + "bn3", out);
      if (b == 0) {
        list.add(block + "downsample.0.weight", {out, in, 1, 1});
        add_batch_norm(list, block + "downsample.1", out);
      }
      in = out;
    }
  }
}

/** The patch embedding: convolutions of stride 2, each with a batch norm, with GELU between them.
 */
void add_xcit_stem(SpecList& list, const Architecture& architecture) {
  const Xcit& x = architecture.xcit;
  std::vector<std::int64_t> widths = {architecture.channels};
  for (std::int64_t divisor = x.patch_size / 2; divisor >= 1; divisor /= 2)
    widths.push_back(x.dim / divisor);
  for (std::size_t i = 0; i + 1 < widths.size(); ++i) {
    const std::string step = "patch_embed.proj." + std::to_string(2 * i) + ".";
    list.add(step + "0.weight", {widths[i + 1], widths[i], 3, 3});
    add_batch_norm(list, step + "1", widths[i + 1]);
  }
}

void add_xcit_mlp(SpecList& list, const std::string& block, std::int64_t dim) {
  list.add_affine(block + "mlp.fc1", {4 * dim, dim});
  list.add_affine(block + "mlp.fc2", {dim, 4 * dim});
}

void add_xcit(SpecList& list, const Architecture& architecture) {
  const Xcit& x = architecture.xcit;
  const std::int64_t d = x.dim;
  list.add("cls_token", {1, 1, d});
  add_xcit_stem(list, architecture);
  for (std::int64_t i = 0; i < x.depth; ++i) {
    const std::string block = "blocks." + std::to_string(i) + ".";
    for (const char* gamma : {"gamma1", "gamma2", "gamma3"}) list.add(block + gamma, {d});
    list.add_norm(block + "norm1", d);
    list.add(block + "attn.temperature", {x.heads, 1, 1});
    list.add_affine(block + "attn.qkv", {3 * d, d});
    list.add_affine(block + "attn.proj", {d, d});
    list.add_norm(block + "norm2", d);
    add_xcit_mlp(list, block, d);
    list.add_norm(block + "norm3", d);
    list.add_affine(block + "local_mp.conv1", {d, 1, 3, 3});
    add_batch_norm(list, block + "local_mp.bn", d);
    list.add_affine(block + "local_mp.conv2", {d, 1, 3, 3});
  }
  for (std::int64_t i = 0; i < x.cls_depth; ++i) {
    const std::string block = "cls_attn_blocks." + std::to_string(i) + ".";
    list.add(block + "gamma1", {d});
    list.add(block + "gamma2", {d});
    list.add_norm(block + "norm1", d);
    list.add_affine(block + "attn.qkv", {3 * d, d});
    list.add_affine(block + "attn.proj", {d, d});
    list.add_norm(block + "norm2", d);
    add_xcit_mlp(list, block, d);
  }
  list.add_norm("norm", d);
  list.add_affine("pos_embeder.token_projection", {d, 64, 1, 1});
}

}  // namespace

std::int64_t Architecture::dim() const {
  switch (family) {
    case Family::Vit:
      return vit.dim;
    case Family::ConvNext:
      return convnext.widths.back();
    case Family::ResNet50:
      return 2048;
    case Family::Xcit:
      return xcit.dim;
  }
  DINO_ASSERT(false);
}

std::int64_t Architecture::patch_size() const {
  switch (family) {
    case Family::Vit:
      return vit.patch_size;
    case Family::Xcit:
      return xcit.patch_size;
    case Family::ConvNext:
    case Family::ResNet50:
      return 32;
  }
  DINO_ASSERT(false);
}

std::int64_t Architecture::prefix_tokens() const {
  return family == Family::Vit ? 1 + vit.registers : 1;
}

bool Architecture::operator==(const Architecture& other) const {
  if (name != other.name || family != other.family || channels != other.channels ||
      image_size != other.image_size)
    return false;
  switch (family) {
    case Family::Vit:
      return vit == other.vit;
    case Family::ConvNext:
      return convnext == other.convnext;
    case Family::Xcit:
      return xcit == other.xcit;
    case Family::ResNet50:
      return true;
  }
  DINO_ASSERT(false);
}

std::vector<TensorSpec> tensors(const Architecture& architecture) {
  SpecList list;
  switch (architecture.family) {
    case Family::Vit:
      add_vit(list, architecture);
      break;
    case Family::ConvNext:
      add_convnext(list, architecture);
      break;
    case Family::ResNet50:
      add_resnet50(list, architecture);
      break;
    case Family::Xcit:
      add_xcit(list, architecture);
      break;
  }
  return list.take();
}

std::vector<float> rope_periods(const Vit& v) {
  if (!v.rope_periods.empty()) return {v.rope_periods.begin(), v.rope_periods.end()};
  const std::int64_t quarter = v.dim / v.heads / 4;
  std::vector<float> periods;
  for (std::int64_t k = 0; k < quarter; ++k)
    periods.push_back(static_cast<float>(
        std::pow(v.rope_base, static_cast<double>(k) / static_cast<double>(quarter))));
  return periods;
}

}  // namespace dino::arch
