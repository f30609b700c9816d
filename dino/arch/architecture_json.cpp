// Architectures as JSON, as stored in our weight files. One visit_fields() per struct serves
// reading, writing and range checks.
#include <array>
#include <optional>
#include <utility>

#include "dino/arch/architecture.h"
#include "dino/arch/vit_sizes.h"
#include "dino/base/error.h"
#include "dino/base/json.h"
#include "dino/base/option_fields.h"

namespace dino::arch {
namespace {

constexpr int kVersion = 2;

template <typename Enum, std::size_t N>
using Words = std::array<std::pair<Enum, std::string_view>, N>;

constexpr Words<Family, 4> kFamilies = {{{Family::Vit, "vit"},
                                         {Family::ConvNext, "convnext"},
                                         {Family::ResNet50, "resnet50"},
                                         {Family::Xcit, "xcit"}}};
constexpr Words<Ffn, 2> kFfns = {{{Ffn::Mlp, "mlp"}, {Ffn::SwiGlu, "swiglu"}}};
constexpr Words<Positions, 4> kPositions = {{{Positions::LearnedOffset, "learned_offset"},
                                             {Positions::LearnedSize, "learned_size"},
                                             {Positions::LearnedAntialias, "learned_antialias"},
                                             {Positions::Rope, "rope"}}};
constexpr Words<RopeCoordinates, 3> kRopeCoordinates = {{{RopeCoordinates::Separate, "separate"},
                                                         {RopeCoordinates::Max, "max"},
                                                         {RopeCoordinates::Min, "min"}}};
constexpr Words<image::Filter, 4> kFilters = {{{image::Filter::Nearest, "nearest"},
                                               {image::Filter::Bilinear, "bilinear"},
                                               {image::Filter::Bicubic, "bicubic"},
                                               {image::Filter::Lanczos, "lanczos"}}};

const auto& words_of(Family) {
  return kFamilies;
}
const auto& words_of(Ffn) {
  return kFfns;
}
const auto& words_of(Positions) {
  return kPositions;
}
const auto& words_of(RopeCoordinates) {
  return kRopeCoordinates;
}
const auto& words_of(data::Fit) {
  return data::kFitWords;
}
const auto& words_of(data::Remainder) {
  return data::kRemainderWords;
}
const auto& words_of(image::Filter) {
  return kFilters;
}

template <typename Enum>
std::string_view word_for(Enum value) {
  for (const auto& [candidate, word] : words_of(value))
    if (candidate == value) return word;
  DINO_ASSERT(false);
}

template <typename Enum>
Enum value_for(std::string_view key, const std::string& given) {
  std::vector<std::string_view> known;
  for (const auto& [candidate, word] : words_of(Enum{})) {
    if (word == given) return candidate;
    known.push_back(word);
  }
  throw std::invalid_argument(
      fmt::format("{} is \"{}\"; known are {}", key, given, fmt::join(known, ", ")));
}

}  // namespace

// ---- the keys (found by check_fields, so not in the unnamed namespace) ----

template <OptionsOf<Vit> T, typename Field>
void visit_fields(T& o, Field&& field) {
  field("dim", o.dim, between(1, 1 << 16));
  field("depth", o.depth, between(1, 1024));
  field("heads", o.heads, between(1, 1024));
  field("hidden", o.hidden, between(1, 1 << 20));
  field("patch_size", o.patch_size, between(1, 256));
  field("ffn", o.ffn, Anything{});
  field("qkv_bias", o.qkv_bias, Anything{});
  field("mask_key_bias", o.mask_key_bias, Anything{});
  field("layer_scale", o.layer_scale, Anything{});
  field("mask_token", o.mask_token, Anything{});
  field("registers", o.registers, between(0, 1024));
  field("positions", o.positions, Anything{});
  field("norm_eps", o.norm_eps, above(0, 1));
  field("rope_base", o.rope_base, above(0, 1e9));
  field("rope_periods", o.rope_periods, above(0, 1e12));
  field("rope_coordinates", o.rope_coordinates, Anything{});
  field("untie_cls_and_patch_norms", o.untie_cls_and_patch_norms, Anything{});
  field("local_cls_norm", o.local_cls_norm, Anything{});
}

template <OptionsOf<ConvNext> T, typename Field>
void visit_fields(T& o, Field&& field) {
  field("depths", o.depths, between(1, 1024));
  field("widths", o.widths, between(1, 1 << 16));
  field("norm_eps", o.norm_eps, above(0, 1));
}

template <OptionsOf<Xcit> T, typename Field>
void visit_fields(T& o, Field&& field) {
  field("dim", o.dim, between(1, 1 << 16));
  field("depth", o.depth, between(1, 1024));
  field("heads", o.heads, between(1, 1024));
  field("patch_size", o.patch_size, OneOf<std::int64_t>{{8, 16}});
  field("cls_depth", o.cls_depth, between(1, 64));
  field("layer_scale_init", o.layer_scale_init, above(0, 1));
}

template <OptionsOf<Architecture> T, typename Field>
void visit_fields(T& o, Field&& field) {
  field("name", o.name, Anything{});
  field("family", o.family, Anything{});
  field("channels", o.channels, between(1, 1024));
  field("image_size", o.image_size, between(1, 1 << 16));
}

template <OptionsOf<data::Preprocess> T, typename Field>
void visit_fields(T& o, Field&& field) {
  field("image_size", o.image_size, between(1, 1 << 16));
  field("resize", o.resize, between(0, 1 << 16));
  field("channels", o.channels, between(1, 1024));
  field("mean", o.mean, Anything{});
  field("std", o.std, above(0, 1e6));
  field("fit", o.fit, Anything{});
  field("filter", o.filter, Anything{});
  field("resize_floats", o.resize_floats, Anything{});
  field("full_range", o.full_range, Anything{});
  field("background", o.background, between(0, 255));
  field("upright", o.upright, Anything{});
  field("value_range", o.value_range, Anything{});
  field("remainder", o.remainder, Anything{});
  field("crop_rounds_down", o.crop_rounds_down, Anything{});
}

// ---- JSON ----
namespace {

template <typename Options>
nlohmann::json fields_to_json(const Options& options) {
  nlohmann::json json;
  visit_fields(options, [&](const char* key, const auto& value, const auto&) {
    if constexpr (std::is_enum_v<std::remove_cvref_t<decltype(value)>>) {
      json[key] = word_for(value);
    } else {
      json[key] = value;
    }
  });
  return json;
}

/** Checks that exactly the expected keys are present; those in `also` are allowed too. */
template <typename Options>
void fields_from_json(const nlohmann::json& json, Options& options,
                      std::initializer_list<std::string_view> also = {}) {
  std::size_t known = 0;
  visit_fields(options, [&](const char* key, auto& value, const auto&) {
    ++known;
    using Value = std::remove_cvref_t<decltype(value)>;
    if constexpr (std::is_enum_v<Value>) {
      value = value_for<Value>(key, json.at(key).get<std::string>());
    } else {
      json.at(key).get_to(value);
    }
  });
  for (const std::string_view key : also) known += json.contains(key) ? 1 : 0;
  if (json.size() != known)
    throw std::invalid_argument("it has keys that this version does not know");
}

/** vit_tiny, vit_small, vit_base, or vit with every size given. */
Vit vit_of(std::string_view arch) {
  return plain_vit(arch == "vit_tiny"   ? kVitTiny
                   : arch == "vit_base" ? kVitBase
                                        : kVitSmall,
                   Vit().patch_size);
}

/** Version 1, written by dino train 0.1: the recipe's [backbone]. */
Network from_version1(const nlohmann::json& json) {
  const auto& backbone = json.at("backbone");
  const auto name = backbone.at("arch").get<std::string>();
  Network network;
  Architecture& a = network.architecture;
  json.at("channels").get_to(a.channels);
  json.at("image_size").get_to(a.image_size);
  if (name == "resnet50") {
    a.family = Family::ResNet50;
  } else {
    a.vit = vit_of(name);
    const auto replace = [&](const char* key, std::int64_t& value) {
      if (const auto given = backbone.at(key).get<std::int64_t>(); given > 0) value = given;
    };
    replace("dim", a.vit.dim);
    replace("depth", a.vit.depth);
    replace("heads", a.vit.heads);
    replace("patch_size", a.vit.patch_size);
    a.vit.hidden = static_cast<std::int64_t>(static_cast<double>(a.vit.dim) *
                                             backbone.at("mlp_ratio").get<double>());
  }
  network.preprocess.image_size = a.image_size;
  network.preprocess.channels = a.channels;
  json.at("mean").get_to(network.preprocess.mean);
  json.at("std").get_to(network.preprocess.std);
  return network;
}

Network from_version2(const nlohmann::json& json) {
  Network network;
  Architecture& a = network.architecture;
  const auto& architecture = json.at("architecture");
  fields_from_json(architecture, a, {"vit", "convnext", "xcit"});
  switch (a.family) {
    case Family::Vit: {
      nlohmann::json vit = architecture.at("vit");
      vit.emplace("rope_periods", nlohmann::json::array());  // early files do not say
      fields_from_json(vit, a.vit);
      break;
    }
    case Family::ConvNext:
      fields_from_json(architecture.at("convnext"), a.convnext);
      break;
    case Family::Xcit:
      fields_from_json(architecture.at("xcit"), a.xcit);
      break;
    case Family::ResNet50:
      break;
  }
  nlohmann::json preprocess = json.at("preprocess");
  const nlohmann::json defaults = fields_to_json(data::Preprocess{});
  for (const char* key : {"full_range", "background", "upright", "crop_rounds_down", "value_range"})
    preprocess.emplace(key, defaults.at(key));  // early files do not say
  fields_from_json(preprocess, network.preprocess);
  return network;
}

}  // namespace

std::string_view name_of(Family value) {
  return word_for(value);
}
std::string_view name_of(Ffn value) {
  return word_for(value);
}
std::string_view name_of(Positions value) {
  return word_for(value);
}
std::string_view name_of(RopeCoordinates value) {
  return word_for(value);
}

void validate(const Architecture& a) {
  check_fields("architecture", a);
  if (a.family == Family::Vit) {
    const Vit& v = a.vit;
    check_fields("architecture.vit", v);
    if (v.dim % v.heads != 0)
      fail(ErrorKind::Config, "[architecture] heads ({}) must divide dim ({})", v.heads, v.dim);
    if (v.positions == Positions::Rope && v.dim / v.heads % 4 != 0)
      fail(ErrorKind::Config,
           "[architecture] RoPE needs a head width that is a multiple of 4, it is {}",
           v.dim / v.heads);
    if (const auto quarter = static_cast<std::size_t>(v.dim / v.heads / 4);
        !v.rope_periods.empty() && v.rope_periods.size() != quarter)
      fail(ErrorKind::Config, "[architecture] {} rope_periods, expected {}: a quarter of a head",
           v.rope_periods.size(), quarter);
    if (v.positions != Positions::Rope && a.image_size < v.patch_size)
      fail(ErrorKind::Config, "[architecture] image_size ({} px) must hold a patch ({} px)",
           a.image_size, v.patch_size);
  } else if (a.family == Family::ConvNext) {
    check_fields("architecture.convnext", a.convnext);
    if (a.convnext.depths.size() != 4 || a.convnext.widths.size() != 4)
      fail(ErrorKind::Config, "[architecture] a ConvNeXt has 4 stages, got {} depths and {} widths",
           a.convnext.depths.size(), a.convnext.widths.size());
  } else if (a.family == Family::Xcit) {
    check_fields("architecture.xcit", a.xcit);
    if (a.xcit.dim % a.xcit.heads != 0 || a.xcit.dim % 8 != 0)
      fail(ErrorKind::Config, "[architecture] heads ({}) and 8 must divide dim ({})", a.xcit.heads,
           a.xcit.dim);
  }
}

std::string to_json(const Network& network) {
  const Architecture& a = network.architecture;
  nlohmann::json architecture = fields_to_json(a);
  if (a.family == Family::Vit) architecture["vit"] = fields_to_json(a.vit);
  if (a.family == Family::ConvNext) architecture["convnext"] = fields_to_json(a.convnext);
  if (a.family == Family::Xcit) architecture["xcit"] = fields_to_json(a.xcit);
  return dump_json({{"version", kVersion},
                    {"architecture", architecture},
                    {"preprocess", fields_to_json(network.preprocess)}});
}

Network network_from_json(std::string_view text, std::string_view origin) {
  const nlohmann::json json = parse_json(text, "weights", origin);
  try {
    const int version = json.at("version").get<int>();
    if (version > kVersion)
      throw std::invalid_argument("it was written by a newer version of this program");
    Network network = version == 1 ? from_version1(json) : from_version2(json);
    validate(network.architecture);
    data::validate(network.preprocess);
    return network;
  } catch (const std::exception& error) {
    fail(ErrorKind::Format, "[weights] {}: its description of the network cannot be used: {}",
         origin, error.what());
  }
}

}  // namespace dino::arch
