#include "cli/network_flags.h"

#include <CLI/CLI.hpp>
#include <array>

#include "dino/arch/architecture.h"
#include "dino/base/error.h"

namespace dino::cli {
namespace {

template <typename Words>
std::vector<std::string> known_words(const Words& words) {
  std::vector<std::string> known;
  for (const auto& [value, word] : words) known.emplace_back(word);
  return known;
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

void check_weights(const NetworkFlags& flags) {
  if (flags.weights.empty())
    fail(ErrorKind::Usage, "--weights is missing: name a weights file or the directory of a run");
}

}  // namespace dino::cli
