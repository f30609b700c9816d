// dino embed: images -> a feature store.
#include <algorithm>
#include <chrono>
#include <filesystem>

#include "cli/interrupt.h"
#include "cli/torch/actions.h"
#include "cli/torch/network.h"
#include "dino/base/error.h"
#include "dino/base/text.h"
#include "dino/embed/embed_images.h"

namespace dino::cli {
namespace {

namespace fs = std::filesystem;

embed::StoreHeader header_of(const EmbedFlags& flags, const LoadedNetwork& network) {
  // Patch features take hundreds of times the space, so their shards have fewer images.
  constexpr std::int64_t kShardRows = 65536, kShardRowsWithPatches = 1024;
  embed::StoreHeader header{
      .network = arch::to_json({network.architecture, network.preprocess}),
      .weights_hash = embed::weights_hash(*network.backbone),
      .precision = std::string(model::name_of(network.backbone->computed().precision)),
      .features = embed::features_named(flags.store),
      .dtype = flags.dtype == "f16" ? format::DType::F16 : format::DType::F32,
      .dim = network.backbone->dim(),
      .registers = network.architecture.prefix_tokens() - 1,
      .patch_size = static_cast<int>(network.architecture.patch_size()),
      .shard_rows = flags.shard_rows};
  if (header.shard_rows == 0)
    header.shard_rows =
        header.features.back() == embed::Feature::Patches ? kShardRowsWithPatches : kShardRows;
  return header;
}

/** Shows a progress bar on a terminal, else prints a line now and then. */
std::function<void(std::int64_t, std::int64_t)> show_progress(Context& context) {
  using Clock = std::chrono::steady_clock;
  const auto begin = Clock::now();
  const auto interval =
      context.console.is_terminal() ? std::chrono::milliseconds(100) : std::chrono::seconds(30);
  return [&context, begin, interval, shown = begin](std::int64_t done, std::int64_t total) mutable {
    const auto now = Clock::now();
    if (done < total && now - shown < interval) return;
    shown = now;
    const double seconds = std::chrono::duration<double>(now - begin).count();
    context.console.progress(fmt::format("{} of {} images, {:.1f} images/s", done, total,
                                         static_cast<double>(done) / std::max(seconds, 1e-9)));
    if (done == total) context.console.end_progress();
  };
}

}  // namespace

int run_embed(const EmbedFlags& flags, Context& context) {
  const LoadedNetwork network = load_network(flags.network, context);
  report_precision(context, flags.network, network);
  const auto dataset = data::open_dataset(flags.images, data::source_options(network.preprocess));
  for (const data::SourceNote& note : dataset->notes())
    context.console.message(LogLevel::Info, data::describe(note));
  report_values(context, *dataset, network.preprocess, flags.images);
  embed::FeatureStoreWriter store(flags.out, header_of(flags, network),
                                  {.source = flags.images,
                                   .kernel = network.backbone->computed().kernel,
                                   .class_names = dataset->class_names(),
                                   .append = flags.append,
                                   .retry_bad = flags.retry_bad,
                                   .force = flags.force});
  const InterruptGuard interrupt([&] {
    context.console.message(LogLevel::Info,
                            "stopping and saving; press Ctrl-C again to quit at once");
  });
  const auto result = embed::embed_images(*network.backbone, *dataset, network.preprocess, store,
                                          {.batch_size = flags.batch_size,
                                           .max_tokens = flags.network.max_tokens,
                                           .commit_seconds = flags.save_every,
                                           .progress = show_progress(context),
                                           .stop = interrupt.token()});
  if (result.bad_count > 0)
    context.console.message(
        LogLevel::Warning,
        fmt::format("{}: {} images cannot be used and are left out; the first: {}",
                    printable(std::string_view(flags.images)), result.bad_count,
                    result.bad.front()));
  const fs::path out = flags.out;
  print_result(
      context,
      {{"store", printable(out)},
       {"images", store.size()},
       {"added", result.added},
       {"known", result.known},
       {"bad_images", store.bad_count()},
       {"not_finite", result.not_finite},
       {"precision", store.header().precision},
       {"kernel", network.backbone->computed().kernel},
       {"dimensions", store.header().dim},
       {"seconds", result.seconds},
       {"model_seconds", result.model_seconds},
       {"store_seconds", result.store_seconds},
       {"stopped", result.stopped}},
      fmt::format(
          "{}: {} images, {} of them new, {} bad{}{}", printable(out), store.size(), result.added,
          store.bad_count(),
          result.not_finite > 0
              ? fmt::format(", {} of them because their features are not finite", result.not_finite)
              : "",
          result.stopped ? "; interrupted: the same command goes on from here" : ""));
  return result.stopped ? kInterrupted : kOk;
}

}  // namespace dino::cli
