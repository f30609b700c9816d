#include "cli/network.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <filesystem>

#include "dino/base/error.h"
#include "dino/base/text.h"

namespace dino::cli {

void add_network_flags(CLI::App& command, NetworkFlags& flags) {
  command.add_option("--weights", flags.weights,
                     "Backbone weights: a file, or the directory of a run");
  command
      .add_option("--image-size", flags.image_size,
                  "Side of the square fed to the network, px (default: as trained)")
      ->check(CLI::PositiveNumber);
  command
      .add_option("--resize", flags.resize,
                  "Short side before the centre crop, px (default: image size * 256 / 224, "
                  "or none for images that fit)")
      ->check(CLI::PositiveNumber);
  command.add_option("--precision", flags.precision, "fp32 or bf16")
      ->check(CLI::IsMember({"fp32", "bf16"}))
      ->capture_default_str();
}

Network load_network(const NetworkFlags& flags, bool untrained) {
  if (flags.weights.empty())
    fail(ErrorKind::Usage, "--weights is missing: name a weights file or the directory of a run");
  Network network;
  auto loaded = model::load_backbone(flags.weights);
  network.backbone = std::move(loaded.backbone);
  network.architecture = std::move(loaded.network.architecture);
  if (untrained)
    network.backbone = model::make_backbone(network.architecture, 0.0,
                                            at::make_generator<at::CPUGeneratorImpl>(0));
  network.backbone->eval();
  network.backbone->set_precision(flags.precision == "bf16" ? model::Precision::Bf16
                                                            : model::Precision::Fp32);
  network.preprocess = std::move(loaded.network.preprocess);
  if (flags.image_size > 0) network.preprocess.image_size = flags.image_size;
  network.preprocess.resize = flags.resize;
  data::validate(network.preprocess);
  return network;
}

embed::ExtractOptions extract_options(Context& context, const std::string& what) {
  embed::ExtractOptions options{.threads = std::max(1, at::get_num_threads())};
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
      LogLevel::Warning, fmt::format("{}: {} images cannot be read and are left out; the first: {}",
                                     printable(source), matrix.bad_count, matrix.bad.front()));
}

void check_output_free(const std::string& path, bool force) {
  if (path.empty()) fail(ErrorKind::Usage, "--out is missing");
  if (!force && std::filesystem::exists(path))
    fail(ErrorKind::Usage, "{} exists; choose another --out, or give --force to replace it",
         printable(path));
}

}  // namespace dino::cli
