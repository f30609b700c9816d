// [backbone] -> the network: a known architecture, then the recipe's own numbers.
#include <algorithm>
#include <array>

#include "dino/arch/vit_sizes.h"
#include "dino/arch/zoo.h"
#include "dino/base/error.h"
#include "dino/base/nearest_name.h"
#include "dino/recipe/recipe.h"

namespace dino::recipe {
namespace {

constexpr std::array kPlainVits = {arch::VitSize{},  // whose sizes the recipe says
                                   arch::kVitTiny, arch::kVitSmall, arch::kVitBase,
                                   arch::kVitLarge};

arch::Architecture named(std::string_view name) {
  arch::Architecture a;
  if (name == "resnet50") name = "dino_resnet50";
  if (const auto* entry = arch::find_in_zoo(name)) return entry->network.architecture;
  std::vector<std::string> known;
  for (const arch::VitSize& size : kPlainVits) {
    known.push_back(size.name.empty() ? "vit" : fmt::format("vit_{}", size.name));
    if (known.back() != name) continue;
    a.vit = arch::plain_vit(size, a.vit.patch_size);
    return a;
  }
  for (const auto& entry : arch::zoo()) known.push_back(entry.name);
  fail(ErrorKind::Config,
       "[recipe] backbone.arch = \"{}\" is unknown{}: vit_tiny, vit_small, vit_base, vit_large, "
       "vit, "
       "resnet50 or a published backbone (docs/recipes.md lists them)",
       name, did_you_mean(name, known));
}

/** Hidden width of a ViT of width `dim`: `ratio` times it, or as `base` has it. SwiGLU's is rounded
 * up to a multiple of 8, as the papers' is. */
std::int64_t hidden_width(const arch::Vit& base, std::int64_t dim, double ratio) {
  const bool gated = base.ffn == arch::Ffn::SwiGlu;
  if (ratio == 0 && dim == base.dim) return base.hidden;
  double hidden = ratio * static_cast<double>(dim) * (gated ? 2.0 / 3.0 : 1.0);
  if (ratio == 0 && base.dim > 0)
    hidden =
        static_cast<double>(base.hidden) * static_cast<double>(dim) / static_cast<double>(base.dim);
  if (ratio == 0 && base.dim == 0) hidden = 4.0 * static_cast<double>(dim);
  const auto whole = static_cast<std::int64_t>(hidden);
  return gated ? (whole + 7) / 8 * 8 : whole;
}

/** Numbers that only a ViT can change. */
void check_fixed(const Backbone& b) {
  const auto check = [&](std::string_view key, double value, double unset) {
    if (value != unset)
      fail(
          ErrorKind::Config,
          "[recipe] backbone.{} = {}: only a ViT can be changed, and backbone.arch is {}; leave it "
          "out",
          key, value, b.arch);
  };
  check("dim", b.dim, 0);
  check("depth", b.depth, 0);
  check("heads", b.heads, 0);
  check("mlp_ratio", b.mlp_ratio, 0);
  if (b.ffn != "arch")
    fail(ErrorKind::Config,
         "[recipe] backbone.ffn = {}: only a ViT can be changed, and backbone.arch is {}; leave it "
         "out",
         b.ffn, b.arch);
  check("registers", b.registers, -1);
}

}  // namespace

arch::Architecture architecture_of(const Recipe& recipe) {
  const Backbone& b = recipe.backbone;
  arch::Architecture a = named(b.arch);
  a.channels = recipe.data.channels;
  a.image_size = recipe.crops.global_size;
  if (a.family != arch::Family::Vit) {
    check_fixed(b);
    return a;
  }
  arch::Vit& v = a.vit;
  const arch::Vit original = v;
  if (b.arch == "vit" && (b.dim == 0 || b.depth == 0 || b.heads == 0))
    fail(ErrorKind::Config,
         "[recipe] backbone.arch = vit needs backbone.dim, backbone.depth and backbone.heads; they "
         "are {}, {} and {}",
         b.dim, b.depth, b.heads);
  const std::int64_t dim = b.dim > 0 ? b.dim : v.dim;
  double ratio = b.mlp_ratio;
  if (b.ffn != "arch" && b.ffn != name_of(v.ffn)) {
    v.ffn = v.ffn == arch::Ffn::Mlp ? arch::Ffn::SwiGlu : arch::Ffn::Mlp;
    if (ratio == 0) ratio = 4;
  }
  v.hidden = hidden_width(v, dim, ratio);
  v.dim = dim;
  if (b.depth > 0) v.depth = b.depth;
  if (b.heads > 0) v.heads = b.heads;
  if (b.patch_size > 0) v.patch_size = b.patch_size;
  if (b.registers >= 0) v.registers = b.registers;
  if (recipe.masks.share > 0) v.mask_token = true;
  if (v.dim % v.heads != 0)
    fail(ErrorKind::Config, "[recipe] backbone.dim = {} is not a multiple of backbone.heads = {}",
         v.dim, v.heads);
  if (v.positions == arch::Positions::Rope && v.dim / v.heads % 4 != 0)
    fail(ErrorKind::Config,
         "[recipe] backbone.dim / backbone.heads = {}: rotary positions need a multiple of 4",
         v.dim / v.heads);
  if (v != original) a.name.clear();
  return a;
}

int patch_size(const Recipe& recipe) {
  return static_cast<int>(architecture_of(recipe).patch_size());
}

}  // namespace dino::recipe
