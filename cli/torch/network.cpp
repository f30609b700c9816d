#include "cli/torch/network.h"

#include <ATen/CPUGeneratorImpl.h>

#include "dino/base/error.h"
#include "dino/base/text.h"
#include "dino/data/value_check.h"

namespace dino::cli {
namespace {

/** Sets `value` to the entry named `given`; does nothing if that is empty. */
template <typename Words, typename Value>
void set_by_word(const Words& words, const std::string& given, Value& value) {
  for (const auto& [candidate, word] : words)
    if (word == given) value = candidate;
}

}  // namespace

void report_values(Context& context, const data::Dataset& dataset,
                   const data::Preprocess& preprocess, const std::string& source) {
  for (const std::string& advice :
       data::value_advice(dataset, data::decode_options(preprocess), preprocess.full_range))
    context.console.message(LogLevel::Warning,
                            fmt::format("{}: {}", printable(std::string_view(source)), advice));
}

model::Precision precision_of(const std::string& name) {
  if (name == "bf16") return model::Precision::Bf16;
  return name == "int8" ? model::Precision::Int8 : model::Precision::Fp32;
}

LoadedNetwork load_network(const NetworkFlags& flags, Context& context, bool untrained) {
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

}  // namespace dino::cli
