#include "cli/network.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "dino/base/error.h"
#include "dino/base/text.h"
#include "dino/data/value_check.h"

namespace dino::cli {
namespace {

template <typename Words>
std::vector<std::string> known_words(const Words& words) {
  std::vector<std::string> known;
  for (const auto& [value, word] : words) known.emplace_back(word);
  return known;
}

/** Sets `value` to the entry named `given`; does nothing if that is empty. */
template <typename Words, typename Value>
void set_by_word(const Words& words, const std::string& given, Value& value) {
  for (const auto& [candidate, word] : words)
    if (word == given) value = candidate;
}

}  // namespace

void add_network_flags(CLI::App& command, NetworkFlags& flags) {
  command.add_option("--weights", flags.weights,
                     "Backbone weights: .pth, .safetensors, a Hugging Face folder, or a run");
  add_read_flags(command, flags.read);
  command
      .add_option("--image-size", flags.image_size,
                  "Side of the square fed to the network, px (default: as trained)")
      ->check(CLI::PositiveNumber);
  command
      .add_option("--resize", flags.resize,
                  "Short side before the center crop, px (default: image size * 256 / 224, "
                  "or none for images that fit)")
      ->check(CLI::PositiveNumber);
  command
      .add_option("--mean", flags.mean,
                  "Mean per channel, of samples in [0, 1] (default: as the "
                  "weights say)")
      ->expected(1, -1);
  command
      .add_option("--std", flags.std,
                  "Standard deviation per channel (default: as the weights say)")
      ->expected(1, -1);
  command.add_option("--precision", flags.precision, "fp32, bf16 or int8 (ViT)")
      ->check(CLI::IsMember({"fp32", "bf16", "int8"}))
      ->capture_default_str();
  command
      .add_option("--max-tokens", flags.max_tokens,
                  "Leave images out that are cut into more patches than this; 0 = none")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  add_value_range(command, flags.value_range);
}

void add_value_range(CLI::App& command, std::optional<image::ValueRange>& range) {
  command
      .add_option_function<std::vector<double>>(
          "--value-range",
          [&range](const std::vector<double>& values) {
            range = {values[0], values[1]};
            if (!image::is_valid(*range))
              fail(ErrorKind::Usage,
                   "--value-range {} {}: the low value comes first, as in --value-range 0 4095",
                   range->low, range->high);
          },
          "Stored values that are black and white, such as 0 4095 (default: as the weights, then "
          "the files or the types of their samples say)")
      ->expected(2)
      ->type_name("LOW HIGH");
}

void report_values(Context& context, const data::Dataset& dataset,
                   const data::Preprocess& preprocess, const std::string& source) {
  for (const std::string& advice :
       data::value_advice(dataset, data::decode_options(preprocess), preprocess.full_range))
    context.console.message(LogLevel::Warning,
                            fmt::format("{}: {}", printable(std::string_view(source)), advice));
}

void add_read_flags(CLI::App& command, weights::ReadOptions& options) {
  command.add_option(
      "--arch", options.arch,
      "Which published backbone it is (dinov2_vitl14_reg, ...), if the file does not tell");
  command
      .add_option("--network", options.network,
                  "Which network of a training checkpoint (default: the teacher, if it has one)")
      ->check(CLI::IsMember({"teacher", "student"}));
  command.add_option("--prefix", options.prefix,
                     "What the network's tensors begin with, in a file of several");
  constexpr std::array kModes = {arch::Positions::LearnedOffset, arch::Positions::LearnedSize,
                                 arch::Positions::LearnedAntialias};
  std::vector<std::string> words;
  for (const auto mode : kModes) words.emplace_back(arch::name_of(mode));
  command
      .add_option_function<std::string>(
          "--positions",
          [&options, kModes](const std::string& word) {
            for (const auto mode : kModes)
              if (arch::name_of(mode) == word) options.positions = mode;
          },
          "How a learned position table is resampled for other image sizes: learned_offset (the "
          "papers), learned_size (transformers), learned_antialias (DINOv2 with registers, timm) "
          "(default: as the weights say)")
      ->check(CLI::IsMember(words));
}

model::Precision precision_of(const std::string& name) {
  if (name == "bf16") return model::Precision::Bf16;
  return name == "int8" ? model::Precision::Int8 : model::Precision::Fp32;
}

void add_fit_flags(CLI::App& command, NetworkFlags& flags) {
  command
      .add_option("--fit", flags.fit,
                  "How images of any shape are fed: center_crop, stretch, short_side, long_side, "
                  "pad, native (default: as the weights say)")
      ->check(CLI::IsMember(known_words(data::kFitWords)));
  command
      .add_option("--remainder", flags.remainder,
                  "Sides that are no multiple of the patch: error, floor (leave the rest out), "
                  "pad, stretch, round (default: as the weights say)")
      ->check(CLI::IsMember(known_words(data::kRemainderWords)));
}

LoadedNetwork load_network(const NetworkFlags& flags, Context& context, bool untrained) {
  if (flags.weights.empty())
    fail(ErrorKind::Usage, "--weights is missing: name a weights file or the directory of a run");
  LoadedNetwork network;
  auto loaded = model::load_backbone(flags.weights, flags.read);
  for (const std::string& note : loaded.notes)
    context.console.message(LogLevel::Warning,
                            fmt::format("{}: {}", printable(flags.weights), note));
  network.backbone = std::move(loaded.backbone);
  network.architecture = std::move(loaded.network.architecture);
  if (untrained)
    network.backbone =
        model::make_backbone(network.architecture, {}, at::make_generator<at::CPUGeneratorImpl>(0));
  network.backbone->freeze();
  network.backbone->set_precision(precision_of(flags.precision));
  network.preprocess = std::move(loaded.network.preprocess);
  if (flags.image_size > 0) {
    network.preprocess.image_size = flags.image_size;
    network.preprocess.resize = 0;  // in proportion
  }
  if (!flags.mean.empty()) network.preprocess.mean = flags.mean;
  if (!flags.std.empty()) network.preprocess.std = flags.std;
  if (!flags.fit.empty() && flags.fit != "center_crop") network.preprocess.resize = 0;
  if (flags.resize > 0) network.preprocess.resize = flags.resize;
  set_by_word(data::kFitWords, flags.fit, network.preprocess.fit);
  set_by_word(data::kRemainderWords, flags.remainder, network.preprocess.remainder);
  if (const auto& range = flags.value_range)
    network.preprocess.value_range = {range->low, range->high};
  data::validate(network.preprocess);
  return network;
}

void report_precision(Context& context, const NetworkFlags& flags, const LoadedNetwork& network) {
  const model::Computed computed = network.backbone->computed();
  if (model::name_of(computed.precision) == flags.precision) return;
  context.console.message(
      LogLevel::Warning,
      fmt::format("--precision {}: computed in {} by {}, which is faster on this processor and "
                  "loses less; results are labeled {}",
                  flags.precision, model::name_of(computed.precision), computed.kernel,
                  model::name_of(computed.precision)));
}

embed::ExtractOptions extract_options(Context& context, const std::string& what) {
  embed::ExtractOptions options;
  if (context.console.is_terminal())
    options.progress = [&context, what](std::int64_t done, std::int64_t total) {
      context.console.progress(fmt::format("{}: {} of {} images", what, done, total));
      if (done == total) context.console.end_progress();
    };
  return options;
}

void report_bad_images(Context& context, const embed::FeatureMatrix& matrix,
                       const std::string& source) {
  if (matrix.bad_count == 0) return;
  context.console.message(
      LogLevel::Warning,
      fmt::format(
          "{}: {} images cannot be used and are left out{}; the first: {}", printable(source),
          matrix.bad_count,
          matrix.not_finite > 0
              ? fmt::format(", {} of them because their features are not finite", matrix.not_finite)
              : "",
          matrix.bad.front()));
}

void check_output_free(const std::string& path, bool force) {
  if (path.empty()) fail(ErrorKind::Usage, "--out is missing");
  if (!force && std::filesystem::exists(path))
    fail(ErrorKind::Usage, "{} exists; choose another --out, or give --force to replace it",
         printable(path));
}

}  // namespace dino::cli
