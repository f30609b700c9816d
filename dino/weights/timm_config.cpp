#include "dino/weights/timm_config.h"

#include <array>
#include <cmath>
#include <utility>

#include "dino/weights/config_keys.h"

namespace dino::weights {
namespace {

constexpr int kLargestSide = 1 << 16;  // px

constexpr std::array<std::pair<std::string_view, image::Filter>, 4> kInterpolations = {
    {{"nearest", image::Filter::Nearest},
     {"bilinear", image::Filter::Bilinear},
     {"bicubic", image::Filter::Bicubic},
     {"lanczos", image::Filter::Lanczos}}};

/** [C, H, W]. */
void take_input_size(ConfigKeys& keys, data::Preprocess& p) {
  const nlohmann::json* const size = keys.find("input_size");
  if (size == nullptr) return;
  if (!size->is_array() || size->size() != 3 || !(*size)[1].is_number_integer())
    keys.refuse("input_size", "has the wrong type: channels, height and width are expected");
  if ((*size)[0] != p.channels)
    keys.refuse("input_size",
                fmt::format("contradicts the tensors, which take {} channels", p.channels));
  if ((*size)[1] != (*size)[2])
    keys.refuse("input_size", "is not supported: height and width must be equal");
  if (!((*size)[1] > 0 && (*size)[1] <= kLargestSide))
    keys.refuse("input_size", fmt::format("must be 1 to {} px", kLargestSide));
  (*size)[1].get_to(p.image_size);
}

/** timm resizes to size / crop_pct, rounded down, and takes the center. */
void take_crop(ConfigKeys& keys, data::Preprocess& p) {
  double share = 0.875;
  keys.take("crop_pct", share);
  if (!(share > 0 && share <= 1)) keys.refuse("crop_pct", "must be above 0, at most 1");
  std::string mode = "center";
  keys.take("crop_mode", mode);
  const double resized = std::floor(p.image_size / share);
  if (resized > kLargestSide)
    keys.refuse("crop_pct", fmt::format("makes images larger than {} px", kLargestSide));
  p.fit = data::Fit::CenterCrop;
  p.resize = static_cast<int>(resized);
  p.crop_rounds_down = false;
  if (mode == "center") return;
  if (mode != "squash" || p.resize != p.image_size)
    keys.refuse("crop_mode", "is not supported: center, and squash with crop_pct 1 are");
  p.fit = data::Fit::Stretch;
  p.resize = 0;
}

void take_interpolation(ConfigKeys& keys, data::Preprocess& p) {
  std::string name = "bicubic";
  keys.take("interpolation", name);
  for (const auto& [known, filter] : kInterpolations) {
    if (known != name) continue;
    p.filter = filter;
    return;
  }
  keys.refuse("interpolation", "is not supported: nearest, bilinear, bicubic, lanczos are");
}

void take_channel_values(ConfigKeys& keys, const char* key, int channels,
                         std::vector<double>& values) {
  if (!keys.take(key, values)) return;
  if (values.size() != static_cast<std::size_t>(channels))
    keys.refuse(key, fmt::format("needs one number for each of {} channels", channels));
}

void take_pretrained(const nlohmann::json& json, const std::string& origin, data::Preprocess& p,
                     std::vector<std::string>& notes) {
  ConfigKeys keys(json, origin);
  take_input_size(keys, p);
  take_crop(keys, p);
  take_interpolation(keys, p);
  take_channel_values(keys, "mean", p.channels, p.mean);
  take_channel_values(keys, "std", p.channels, p.std);
  p.resize_floats = false;
  keys.neutral({"architecture",
                "classifier",
                "custom_load",
                "file",
                "first_conv",
                "fixed_input_size",
                "hf_hub_filename",
                "hf_hub_id",
                "label_descriptions",
                "label_names",
                "license",
                "min_input_size",
                "notes",
                "num_classes",
                "num_features",
                "global_pool",
                "origin_url",
                "paper_ids",
                "paper_name",
                "pool_size",
                "source",
                "state_dict",
                "tag",
                "test_crop_pct",
                "test_input_size",
                "url",
                "description",
                "model_args"});
  keys.note_unknown(notes);
}

/** Arguments of the network that tensors do not tell. */
void take_arguments(const nlohmann::json& json, const std::string& origin, Detected& detected) {
  ConfigKeys keys(json, origin);
  if (keys.take("num_heads", detected.network.architecture.vit.heads))
    detected.heads_guessed = false;
  if (std::string act = "gelu"; keys.take("act_layer", act) && act != "gelu")
    keys.refuse("act_layer", "cannot be computed: only gelu can");
  keys.neutral({"img_size", "dynamic_img_size", "num_classes", "global_pool", "in_chans",
                "patch_size", "embed_dim", "depth", "init_values", "reg_tokens", "class_token",
                "no_embed_class", "mlp_ratio", "drop_path_rate", "drop_rate"});
  keys.note_unknown(detected.notes);
}

}  // namespace

bool apply_timm_config(const nlohmann::json& json, const std::string& origin, Detected& detected) {
  arch::Network& network = detected.network;
  // Weights with the papers' names, which timm uses too, may have another program's config.json.
  if (!json.is_object() || !json.contains("architecture")) return false;
  if (const auto arguments = json.find("model_args");
      arguments != json.end() && network.architecture.family == arch::Family::Vit)
    take_arguments(*arguments, origin + ", model_args", detected);
  if (const auto config = json.find("pretrained_cfg"); config != json.end()) {
    take_pretrained(*config, origin + ", pretrained_cfg", network.preprocess, detected.notes);
    return true;
  }
  if (!json.contains("input_size")) return false;
  take_pretrained(json, origin, network.preprocess, detected.notes);  // before timm 0.9
  return true;
}

}  // namespace dino::weights
