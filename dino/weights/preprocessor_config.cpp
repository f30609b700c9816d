#include "dino/weights/preprocessor_config.h"

#include <array>
#include <optional>

#include "dino/weights/config_keys.h"

namespace dino::weights {
namespace {

using image::Filter;

/** Pillow's numbers and transformers' names of resampling filters; those without a Filter are
 * unsupported. */
struct NamedFilter {
  int number;
  std::string_view name;
  std::optional<Filter> filter;
};
constexpr std::array<NamedFilter, 6> kFilters = {{{0, "nearest", Filter::Nearest},
                                                  {1, "lanczos", Filter::Lanczos},
                                                  {2, "bilinear", Filter::Bilinear},
                                                  {3, "bicubic", Filter::Bicubic},
                                                  {4, "box", std::nullopt},
                                                  {5, "hamming", std::nullopt}}};

constexpr int kDefaultSize = 224;
const std::vector<double> kHalf = {0.5, 0.5, 0.5};
const std::vector<double> kImageNetMean = {0.485, 0.456, 0.406};
const std::vector<double> kImageNetStd = {0.229, 0.224, 0.225};
const std::vector<double> kClipMean = {0.48145466, 0.4578275, 0.40821073};
const std::vector<double> kClipStd = {0.26862954, 0.26130258, 0.27577711};

/** The processing steps of an image, in transformers' terms. */
struct Steps {
  bool do_resize = true;
  bool short_side = false;  ///< `size` is of the short side; else of a square
  int size = kDefaultSize;  ///< px
  bool do_center_crop = false;
  int crop_size = kDefaultSize;  ///< px
  bool do_rescale = true;
  double rescale_factor = 1.0 / 255;
  bool do_normalize = true;
};

enum class Processor { Unnamed, Bit, Vit, DinoV3, Other };

Processor processor_of(ConfigKeys& keys) {
  std::string name;
  if (!keys.take("image_processor_type", name)) keys.take("feature_extractor_type", name);
  keys.neutral({"feature_extractor_type"});
  if (name.empty()) return Processor::Unnamed;
  if (name.ends_with("Fast")) name.resize(name.size() - 4);
  if (name.starts_with("Bit") || name.starts_with("CLIP")) return Processor::Bit;
  if (name == "ViTImageProcessor" || name == "ViTFeatureExtractor") return Processor::Vit;
  return name == "DINOv3ViTImageProcessor" ? Processor::DinoV3 : Processor::Other;
}

/** The processor's defaults for missing settings. */
void take_defaults(Processor processor, Steps& steps, data::Preprocess& p) {
  const bool gray_or_rgb = p.channels == 3;
  const auto statistics = [&](const std::vector<double>& mean, const std::vector<double>& std) {
    if (gray_or_rgb) p.mean = mean, p.std = std;
  };
  switch (processor) {
    case Processor::Bit:
      steps.short_side = steps.do_center_crop = true;
      p.filter = Filter::Bicubic;
      p.resize_floats = false;
      return statistics(kClipMean, kClipStd);
    case Processor::Vit:
      p.filter = Filter::Bilinear;
      p.resize_floats = false;
      return statistics(kHalf, kHalf);
    case Processor::DinoV3:
      p.filter = Filter::Bilinear;
      p.resize_floats = true;
      return statistics(kImageNetMean, kImageNetStd);
    case Processor::Unnamed:
    case Processor::Other:
      steps.short_side = steps.do_center_crop = p.fit == data::Fit::CenterCrop;
      steps.size = p.resize > 0       ? p.resize
                   : steps.short_side ? p.image_size * 256 / 224
                                      : p.image_size;
      steps.crop_size = p.image_size;
  }
}

int side_in_px(const ConfigKeys& keys, const std::string& key, const nlohmann::json& value) {
  constexpr int kLargestSide = 1 << 16;
  if (!(value > 0 && value <= kLargestSide))
    keys.refuse(key, fmt::format("must be 1 to {} px", kLargestSide));
  return value.get<int>();
}

/** One side of a square: 224, [224, 224] or {"height": 224, "width": 224}. */
int square_side(ConfigKeys& keys, const std::string& key, const nlohmann::json& value) {
  nlohmann::json height = value, width = value;
  if (value.is_array() && value.size() == 2) {
    height = value[0];
    width = value[1];
  } else if (value.is_object()) {
    if (value.size() != 2 || !value.contains("height") || !value.contains("width"))
      keys.refuse(key, "is not supported: only height and width, or shortest_edge of size");
    height = value["height"];
    width = value["width"];
  }
  if (!height.is_number_integer() || !width.is_number_integer())
    keys.refuse(key, "has the wrong type");
  if (height != width) keys.refuse(key, "is not supported: height and width must be equal");
  return side_in_px(keys, key, height);
}

void take_size(ConfigKeys& keys, Processor processor, Steps& steps) {
  bool square_by_default = processor != Processor::Bit;
  keys.take("default_to_square", square_by_default);
  const nlohmann::json* const size = keys.find("size");
  if (size == nullptr) return;
  const bool names_short_side = size->is_object() && size->contains("shortest_edge");
  steps.short_side = names_short_side || (size->is_number() && !square_by_default);
  if (!names_short_side) {
    steps.size = square_side(keys, "size", *size);
  } else if (size->size() > 1 || !size->at("shortest_edge").is_number_integer()) {
    keys.refuse("size", "is not supported: shortest_edge must be a number, and alone");
  } else {
    steps.size = side_in_px(keys, "size", size->at("shortest_edge"));
  }
}

void take_filter(ConfigKeys& keys, data::Preprocess& p) {
  const nlohmann::json* const resample = keys.find("resample");
  if (resample == nullptr) return;
  for (const NamedFilter& known : kFilters) {
    if (*resample != known.number && *resample != known.name) continue;
    if (!known.filter)
      keys.refuse("resample", "is not supported: nearest, lanczos, bilinear, bicubic are");
    p.filter = *known.filter;
    return;
  }
  keys.refuse("resample", "is no filter of Pillow: 0 to 5");
}

/** A list of one number per channel, or one number for all. */
void take_statistics(ConfigKeys& keys, const char* key, int channels, std::vector<double>& values) {
  const nlohmann::json* const found = keys.find(key);
  if (found == nullptr) return;
  if (found->is_number()) {
    values.assign(static_cast<std::size_t>(channels), found->get<double>());
    return;
  }
  keys.take(key, values);
  if (values.size() != static_cast<std::size_t>(channels))
    keys.refuse(key,
                fmt::format("needs one number for each of the network's {} channels", channels));
}

/** Resizing and cropping as one of our fits. */
void take_fit(const ConfigKeys& keys, const Steps& s, data::Preprocess& p) {
  p.resize = 0;
  p.crop_rounds_down = false;
  if (!s.do_center_crop) {
    p.fit = !s.do_resize   ? data::Fit::Native
            : s.short_side ? data::Fit::ShortSide
                           : data::Fit::Stretch;
    if (s.do_resize) p.image_size = s.size;
    if (p.fit != data::Fit::Stretch) p.remainder = data::Remainder::Floor;  // as convolutions do
    return;
  }
  if (!s.do_resize) keys.refuse("do_resize", "is not supported together with do_center_crop");
  if (s.crop_size > s.size)
    keys.refuse("crop_size",
                fmt::format("is not supported: a crop of {} px is larger than size ({} px)",
                            s.crop_size, s.size));
  p.image_size = s.crop_size;
  if (s.short_side) {
    p.fit = data::Fit::CenterCrop;
    p.resize = s.size;
    p.crop_rounds_down = true;
  } else if (s.size == s.crop_size) {
    p.fit = data::Fit::Stretch;
  } else {
    keys.refuse("crop_size",
                fmt::format("is not supported: a crop from a square of {} px", s.size));
  }
}

/** Pixels are scaled before mean and std; ours are those of samples in [0, 1]. */
void take_scale(const ConfigKeys& keys, const Steps& s, data::Preprocess& p) {
  const double scale = s.do_rescale ? 255 * s.rescale_factor : 255;
  if (!(scale > 0)) keys.refuse("rescale_factor", "must be above 0");
  const auto channels = static_cast<std::size_t>(p.channels);
  if (!s.do_normalize) {
    p.mean.assign(channels, 0);
    p.std.assign(channels, 1);
  }
  if (std::abs(scale - 1) < 1e-6) return;
  for (double& mean : p.mean) mean /= scale;
  for (double& std : p.std) std /= scale;
}

/** Steps that are not supported; no DINO network was trained with them. */
void refuse_other_steps(ConfigKeys& keys) {
  for (const char* key : {"do_pad", "do_flip_channel_order", "do_thumbnail", "do_align_long_axis",
                          "do_convert_grayscale", "do_color_quantize", "do_crop_margin"}) {
    bool on = false;
    if (keys.take(key, on) && on) keys.refuse(key, "is not supported");
  }
  for (const char* key : {"crop_pct", "size_divisor", "pad_size"})
    if (keys.find(key) != nullptr) keys.refuse(key, "is not supported");
}

}  // namespace

void apply_preprocessor_config(const nlohmann::json& json, const std::string& origin,
                               data::Preprocess& p, std::vector<std::string>& notes) {
  ConfigKeys keys(json, origin);
  const Processor processor = processor_of(keys);
  if (processor == Processor::Other)
    notes.push_back(
        fmt::format("{}: this image processor is not known; its settings are read as "
                    "those of BitImageProcessor",
                    origin));
  Steps steps;
  take_defaults(processor, steps, p);
  keys.take("do_resize", steps.do_resize);
  take_size(keys, processor, steps);
  if (const auto* crop = keys.find("crop_size")) {
    steps.crop_size = square_side(keys, "crop_size", *crop);
    if (processor == Processor::Unnamed || processor == Processor::Other)
      steps.do_center_crop = steps.short_side;
  } else if (processor == Processor::Unnamed || processor == Processor::Other) {
    steps.do_center_crop = steps.do_center_crop && !keys.find("size");
  }
  keys.take("do_center_crop", steps.do_center_crop);
  keys.take("do_rescale", steps.do_rescale);
  keys.take("rescale_factor", steps.rescale_factor);
  keys.take("do_normalize", steps.do_normalize);
  take_filter(keys, p);
  take_statistics(keys, "image_mean", p.channels, p.mean);
  take_statistics(keys, "image_std", p.channels, p.std);
  refuse_other_steps(keys);
  take_fit(keys, steps, p);
  take_scale(keys, steps, p);
  keys.neutral({"_name_or_path", "_processor_class", "_valid_processor_keys", "auto_map",
                "data_format", "device", "disable_grouping", "do_convert_rgb", "image_seq_length",
                "input_data_format", "processor_class", "return_tensors"});
  keys.note_unknown(notes);
}

nlohmann::json preprocessor_config(const data::Preprocess& p) {
  nlohmann::json json = {{"do_resize", p.fit != data::Fit::Native},
                         {"do_rescale", true},
                         {"rescale_factor", 1.0 / 255},
                         {"do_normalize", true},
                         {"image_mean", p.mean},
                         {"image_std", p.std}};
  for (const NamedFilter& known : kFilters)
    if (known.filter == p.filter) json["resample"] = known.number;
  const nlohmann::json square = {{"height", p.image_size}, {"width", p.image_size}};
  json["do_center_crop"] = p.fit == data::Fit::CenterCrop;
  if (p.fit == data::Fit::CenterCrop || p.fit == data::Fit::ShortSide) {
    json["image_processor_type"] = "BitImageProcessor";
    json["do_convert_rgb"] = true;
    json["size"] = {{"shortest_edge", p.fit == data::Fit::ShortSide ? p.image_size
                                      : p.resize > 0                ? p.resize
                                                                    : p.image_size * 256 / 224}};
    if (p.fit == data::Fit::CenterCrop) json["crop_size"] = square;
  } else {
    json["image_processor_type"] =
        p.resize_floats ? "DINOv3ViTImageProcessorFast" : "ViTImageProcessor";
    json["size"] = square;
  }
  return json;
}

}  // namespace dino::weights
