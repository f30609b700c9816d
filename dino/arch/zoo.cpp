// The constants of the papers' model tables and of the released configurations.
#include "dino/arch/zoo.h"

#include <algorithm>

#include "dino/arch/vit_sizes.h"
#include "dino/base/error.h"
#include "dino/base/nearest_name.h"

namespace dino::arch {
namespace {

ZooEntry dino_vit(const char* name, const VitSize& size, int patch, double parameters,
                  const char* file) {
  Network network;
  network.architecture = {.name = name, .vit = plain_vit(size, patch)};
  return {name, network, parameters, file};
}

/** `table` is the image size of the position table, px; released weights have that of their last
 * phase, 518 px. */
ZooEntry dinov2(std::string name, const VitSize& size, bool registers, double parameters) {
  constexpr int kTable = 518;
  Vit v = plain_vit(size, 14);
  v.layer_scale = v.mask_token = true;
  v.registers = registers ? 4 : 0;
  v.positions = registers ? Positions::LearnedAntialias : Positions::LearnedOffset;
  if (size.dim == kVitGiant.dim) {
    v.ffn = Ffn::SwiGlu;
    v.hidden = 4096;
  }
  Network network;
  network.architecture = {.name = name, .image_size = kTable, .vit = v};
  std::string file = name.substr(0, name.find("_reg")) + (registers ? "_reg4" : "") + "_pretrain";
  return {std::move(name), network, parameters, std::move(file)};
}

data::Preprocess dinov3_preprocess(bool satellite) {
  data::Preprocess p{.image_size = 256,
                     .fit = data::Fit::Stretch,
                     .filter = image::Filter::Bilinear,
                     .resize_floats = true};
  if (satellite) {
    p.mean = {0.430, 0.411, 0.296};
    p.std = {0.213, 0.156, 0.143};
  }
  return p;
}

/** `hidden` is the width of SwiGLU; 0 means an MLP of four times the width. */
ZooEntry dinov3_vit(const char* name, const VitSize& size, std::int64_t hidden, double parameters,
                    const char* file, bool satellite = false, bool local_cls_norm = false) {
  Vit v = plain_vit(size, 16);
  v.layer_scale = v.mask_token = true;
  v.registers = 4;
  v.positions = Positions::Rope;
  v.norm_eps = 1e-5;
  v.qkv_bias = v.mask_key_bias = size.dim != kVitSeven.dim;
  v.local_cls_norm = local_cls_norm;
  if (hidden > 0) {
    v.ffn = Ffn::SwiGlu;
    v.hidden = hidden;
  }
  return {name,
          {.architecture = {.name = name, .image_size = 256, .vit = v},
           .preprocess = dinov3_preprocess(satellite)},
          parameters,
          file};
}

ZooEntry dinov3_convnext(const char* name, std::vector<std::int64_t> depths,
                         std::vector<std::int64_t> widths, double parameters, const char* file) {
  return {name,
          {.architecture = {.name = name,
                            .family = Family::ConvNext,
                            .image_size = 256,
                            .convnext = {std::move(depths), std::move(widths)}},
           .preprocess = dinov3_preprocess(false)},
          parameters,
          file};
}

ZooEntry dino_xcit(const char* name, const Xcit& xcit, double parameters, const char* file) {
  Network network;
  network.architecture = {.name = name, .family = Family::Xcit, .xcit = xcit};
  return {name, network, parameters, file};
}

ZooEntry dino_resnet50() {
  Network network;
  network.architecture = {.name = "dino_resnet50", .family = Family::ResNet50};
  return {"dino_resnet50", network, 23, "dino_resnet50_pretrain"};
}

std::vector<ZooEntry> make_zoo() {
  return {
      dino_vit("dino_vits16", kVitSmall, 16, 21, "dino_deitsmall16_pretrain"),
      dino_vit("dino_vits8", kVitSmall, 8, 21, "dino_deitsmall8_pretrain"),
      dino_vit("dino_vitb16", kVitBase, 16, 85, "dino_vitbase16_pretrain"),
      dino_vit("dino_vitb8", kVitBase, 8, 85, "dino_vitbase8_pretrain"),
      dino_resnet50(),
      dino_xcit("dino_xcit_small_12_p16", {.dim = 384, .depth = 12, .heads = 8, .patch_size = 16},
                26, "dino_xcit_small_12_p16_pretrain"),
      dino_xcit("dino_xcit_small_12_p8", {.dim = 384, .depth = 12, .heads = 8, .patch_size = 8}, 26,
                "dino_xcit_small_12_p8_pretrain"),
      dino_xcit("dino_xcit_medium_24_p16",
                {.dim = 512, .depth = 24, .heads = 8, .patch_size = 16, .layer_scale_init = 1e-5},
                84, "dino_xcit_medium_24_p16_pretrain"),
      dino_xcit("dino_xcit_medium_24_p8",
                {.dim = 512, .depth = 24, .heads = 8, .patch_size = 8, .layer_scale_init = 1e-5},
                84, "dino_xcit_medium_24_p8_pretrain"),

      dinov2("dinov2_vits14", kVitSmall, false, 22.06),
      dinov2("dinov2_vitb14", kVitBase, false, 86.58),
      dinov2("dinov2_vitl14", kVitLarge, false, 304.37),
      dinov2("dinov2_vitg14", kVitGiant, false, 1136.48),
      dinov2("dinov2_vits14_reg", kVitSmall, true, 22.06),
      dinov2("dinov2_vitb14_reg", kVitBase, true, 86.58),
      dinov2("dinov2_vitl14_reg", kVitLarge, true, 304.37),
      dinov2("dinov2_vitg14_reg", kVitGiant, true, 1136.48),

      dinov3_vit("dinov3_vits16", kVitSmall, 0, 21.6, "dinov3_vits16_pretrain_lvd1689m"),
      dinov3_vit("dinov3_vits16plus", kVitSmall, 1536, 28.7, "dinov3_vits16plus_pretrain_lvd1689m"),
      dinov3_vit("dinov3_vitb16", kVitBase, 0, 85.6, "dinov3_vitb16_pretrain_lvd1689m"),
      dinov3_vit("dinov3_vitl16", kVitLarge, 0, 303.1, "dinov3_vitl16_pretrain_lvd1689m"),
      dinov3_vit("dinov3_vitl16plus", kVitLarge, 4096, 0, "dinov3_vitl16plus_pretrain_lvd1689m"),
      dinov3_vit("dinov3_vith16plus", kVitHuge, 5120, 840.5, "dinov3_vith16plus_pretrain_lvd1689m"),
      dinov3_vit("dinov3_vit7b16", kVitSeven, 8192, 6716, "dinov3_vit7b16_pretrain_lvd1689m", false,
                 true),
      dinov3_vit("dinov3_vitl16_sat", kVitLarge, 0, 303.1, "dinov3_vitl16_pretrain_sat493m", true,
                 true),
      dinov3_vit("dinov3_vit7b16_sat", kVitSeven, 8192, 6716, "dinov3_vit7b16_pretrain_sat493m",
                 true, true),
      dinov3_convnext("dinov3_convnext_tiny", {3, 3, 9, 3}, {96, 192, 384, 768}, 29,
                      "dinov3_convnext_tiny_pretrain_lvd1689m"),
      dinov3_convnext("dinov3_convnext_small", {3, 3, 27, 3}, {96, 192, 384, 768}, 50,
                      "dinov3_convnext_small_pretrain_lvd1689m"),
      dinov3_convnext("dinov3_convnext_base", {3, 3, 27, 3}, {128, 256, 512, 1024}, 89,
                      "dinov3_convnext_base_pretrain_lvd1689m"),
      dinov3_convnext("dinov3_convnext_large", {3, 3, 27, 3}, {192, 384, 768, 1536}, 198,
                      "dinov3_convnext_large_pretrain_lvd1689m"),
  };
}

}  // namespace

const std::vector<ZooEntry>& zoo() {
  static const std::vector<ZooEntry> entries = make_zoo();
  return entries;
}

const ZooEntry* find_in_zoo(std::string_view name) {
  const auto found = std::ranges::find(zoo(), name, &ZooEntry::name);
  return found == zoo().end() ? nullptr : &*found;
}

const ZooEntry& zoo_entry(std::string_view name) {
  if (const ZooEntry* entry = find_in_zoo(name)) return *entry;
  std::vector<std::string> names;
  for (const ZooEntry& entry : zoo()) names.push_back(entry.name);
  fail(ErrorKind::Config, "[zoo] no backbone is called \"{}\"{}", name, did_you_mean(name, names));
}

}  // namespace dino::arch
