// dino data pack: images rewritten once, smaller and in few files, for runs of many epochs.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <memory>

#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/network_flags.h"
#include "dino/base/cores.h"
#include "dino/base/error.h"
#include "dino/base/text.h"
#include "dino/data/pack.h"
#include "dino/data/value_check.h"

namespace dino::cli {
namespace {

struct PackFlags {
  std::string source, out;
  data::PackOptions options;
  int channels = 3;
};

/** Seconds to read and decode one image in one thread, of a few spread over the data set. */
double load_seconds(const data::Dataset& dataset) {
  constexpr std::int64_t kTried = 64;
  const std::int64_t count = std::min(kTried, dataset.size());
  const auto start = std::chrono::steady_clock::now();
  for (std::int64_t i = 0; i < count; ++i) dataset.load(i * dataset.size() / count);
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  return elapsed.count() / static_cast<double>(count);
}

nlohmann::json document_of(const PackFlags& flags, const data::PackReport& report) {
  const std::int64_t packed = report.images - report.reused;
  nlohmann::json document = {
      {"source", flags.source},
      {"images", report.images},
      {"reused", report.reused},
      {"bad", report.bad},
      {"shards", report.shards},
      {"bytes", report.bytes},
      {"seconds", report.seconds},
      {"images_per_second", packed > 0
                                ? nlohmann::json(static_cast<double>(packed) / report.seconds)
                                : nlohmann::json()},
      {"finished", report.finished}};
  if (packed > 0)
    document["source_milliseconds"] = 1e3 * report.load_seconds / static_cast<double>(packed);
  if (report.finished && report.images > 0) {
    document["pack"] = data::shard_pattern(flags.out, report.shards);
    const auto packed_set = data::open_dataset(document["pack"], flags.channels);
    document["pack_milliseconds"] = 1e3 * load_seconds(*packed_set);
  }
  return document;
}

std::string text_of(const PackFlags& flags, const nlohmann::json& document) {
  std::string text = fmt::format(
      "{}: {} images in {} shards, {:.1f} MB ({:.1f} kB an image), {:.1f} s\n", flags.out,
      document["images"].get<std::int64_t>(), document["shards"].get<std::int64_t>(),
      document["bytes"].get<double>() / 1e6,
      document["bytes"].get<double>() / 1e3 / std::max(1.0, document["images"].get<double>()),
      document["seconds"].get<double>());
  if (document.contains("source_milliseconds") && document.contains("pack_milliseconds"))
    text += fmt::format("  reading and decoding: {:.2f} ms an image before, {:.2f} ms now\n",
                        document["source_milliseconds"].get<double>(),
                        document["pack_milliseconds"].get<double>());
  for (const auto& bad : document["bad"])
    text += fmt::format("  left out: {}\n", bad.get<std::string>());
  if (document.contains("pack"))
    text += fmt::format("  data.train = \"{}\"\n", document["pack"].get<std::string>());
  else
    text += "  stopped; the same command goes on\n";
  return text;
}

int run_pack(const PackFlags& flags, Context& context) {
  data::SourceOptions options;
  options.channels = flags.channels;
  options.decode.value_range = flags.options.value_range;
  const auto dataset = data::open_dataset(flags.source, options);
  for (const std::string& advice : data::value_advice(*dataset, options.decode, false))
    context.console.message(LogLevel::Warning, advice);
  ThreadPool pool(pool_workers(context.threads));
  const InterruptGuard interrupt([] {});
  const std::int64_t step = std::max<std::int64_t>(1, dataset->size() / 100);
  std::int64_t shown = 0;
  const data::PackReport report = data::pack(
      *dataset, flags.source, flags.out, flags.options, pool,
      [&](std::int64_t done) {
        if (!context.console.is_terminal() || done < shown + step) return;
        shown = done;
        context.console.progress(fmt::format("{} of {} images", done, dataset->size()));
      },
      interrupt.token());
  if (shown > 0) context.console.end_progress();
  const nlohmann::json document = document_of(flags, report);
  print_result(context, document, text_of(flags, document));
  return report.finished ? kOk : kInterrupted;
}

}  // namespace

void add_data(CLI::App& parent, Context& context) {
  CLI::App* group = add_group(parent, "data", "Prepare data sets");
  auto flags = std::make_shared<PackFlags>();
  CLI::App* command = add_command(*group, context, "pack", "Shrink images once, into tar shards",
                                  [flags, &context] { return run_pack(*flags, context); });
  command->add_option("source", flags->source, "Folder, list or archive of images")->required();
  command->add_option("out", flags->out, "Folder for the shards")->required();
  command->add_option("--size", flags->options.size, "Short side, px; 0 leaves images as they are")
      ->capture_default_str();
  command->add_option("--quality", flags->options.quality, "Of the JPEGs, 1 to 100")
      ->capture_default_str();
  command->add_flag("--raw", flags->options.raw, "Uncompressed: nothing is lost, reading is quick");
  command->add_option("--shard-images", flags->options.shard_images, "Images per shard")
      ->capture_default_str();
  command->add_option("--channels", flags->channels, "1 gray or 3 RGB")
      ->check(CLI::IsMember({1, 3}))
      ->capture_default_str();
  add_value_range(*command, flags->options.value_range);
  add_data_scenes(*group, context);
}

}  // namespace dino::cli
