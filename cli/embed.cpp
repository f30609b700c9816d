// dino embed: images -> a feature store; dino embed export: a store -> one file.
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <memory>

#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/network.h"
#include "dino/base/error.h"
#include "dino/base/text.h"
#include "dino/embed/embed_images.h"
#include "dino/embed/store_export.h"

namespace dino::cli {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> feature_words() {
  std::vector<std::string> words;
  for (const auto& [feature, word] : embed::kFeatureWords) words.emplace_back(word);
  return words;
}

/** Sorted in the order of kFeatureWords, without duplicates. */
std::vector<embed::Feature> features_named(const std::vector<std::string>& words) {
  std::vector<embed::Feature> features;
  for (const auto& [feature, word] : embed::kFeatureWords)
    if (std::ranges::find(words, word) != words.end()) features.push_back(feature);
  return features;
}

// ---- dino embed ----

struct EmbedFlags {
  NetworkFlags network;
  std::string images, out;
  std::vector<std::string> store = {"cls"};
  std::string dtype = "f32";
  std::int64_t shard_rows = 0;
  int batch_size = 64;
  double save_every = 2;
  bool append = false, retry_bad = false, force = false;
};

embed::StoreHeader header_of(const EmbedFlags& flags, const LoadedNetwork& network) {
  // Patch features take hundreds of times the space, so their shards have fewer images.
  constexpr std::int64_t kShardRows = 65536, kShardRowsWithPatches = 1024;
  embed::StoreHeader header{
      .network = arch::to_json({network.architecture, network.preprocess}),
      .weights_hash = embed::weights_hash(*network.backbone),
      .precision = std::string(model::name_of(network.backbone->computed().precision)),
      .features = features_named(flags.store),
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

int run_embed(const EmbedFlags& flags, Context& context) {
  if (flags.images.empty())
    fail(ErrorKind::Usage, "--images is missing: name a folder, a list file or an IDX file");
  if (flags.out.empty()) fail(ErrorKind::Usage, "--out is missing: name a directory");
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

// ---- dino embed export ----

struct ExportFlags {
  std::string store, out;
  std::string to;
  std::vector<std::string> features;
  bool force = false;
};

int run_export(const ExportFlags& flags, Context& context) {
  check_output_free(flags.out, flags.force);
  const embed::FeatureStore store(flags.store);
  const auto format = flags.to == "csv"     ? embed::ExportFormat::Csv
                      : flags.to == "jsonl" ? embed::ExportFormat::Jsonl
                                            : embed::ExportFormat::Npy;
  const auto features = flags.features.empty() ? std::vector{store.header().features.front()}
                                               : features_named(flags.features);
  const fs::path out = flags.out;
  embed::export_store(store, format, features, out);
  print_result(context, {{"file", printable(out)}, {"images", store.size()}},
               fmt::format("{} images in {}", store.size(), printable(out)));
  return kOk;
}

const CLI::App* add_export(CLI::App& parent, Context& context,
                           const std::shared_ptr<ExportFlags>& flags) {
  CLI::App* command = add_command(parent, context, "export", "Write a store's features to one file",
                                  [flags, &context] { return run_export(*flags, context); });
  command->add_option("store", flags->store, "Directory of the store")->required();
  command->add_option("--to", flags->to, "npy, csv or jsonl")
      ->check(CLI::IsMember({"npy", "csv", "jsonl"}))
      ->required();
  command->add_option("--out", flags->out, "File to write");
  command
      ->add_option("--features", flags->features,
                   "Which, with commas between: cls, mean, registers, patches (default: the first "
                   "that is stored)")
      ->delimiter(',')
      ->check(CLI::IsMember(feature_words()));
  command->add_flag("--force", flags->force, "Replace a file that is there");
  return command;
}

}  // namespace

void add_embed(CLI::App& parent, Context& context) {
  auto flags = std::make_shared<EmbedFlags>();
  auto export_flags = std::make_shared<ExportFlags>();
  // CLI11 runs both callbacks when "export" follows, this one last: it must know.
  auto exporting = std::make_shared<const CLI::App*>(nullptr);
  CLI::App* command =
      add_command(parent, context, "embed", "Write the features of images to a feature store",
                  [flags, export_flags, exporting, &context] {
                    return (*exporting)->parsed() ? run_export(*export_flags, context)
                                                  : run_embed(*flags, context);
                  });
  *exporting = add_export(*command, context, export_flags);
  add_network_flags(*command, flags->network);
  add_fit_flags(*command, flags->network);
  command->add_option("--images", flags->images, "Folder, list, archive or array file of images");
  command->add_option("--out", flags->out, "Directory of the store, made if missing");
  command
      ->add_option("--store", flags->store,
                   "What to keep, with commas between: cls, mean (of the patches), registers, "
                   "patches")
      ->delimiter(',')
      ->check(CLI::IsMember(feature_words()))
      ->capture_default_str();
  command->add_option("--dtype", flags->dtype, "f32 or f16")
      ->check(CLI::IsMember({"f32", "f16"}))
      ->capture_default_str();
  command
      ->add_option("--shard-rows", flags->shard_rows,
                   "Images per file (default: 65536, with patches 1024)")
      ->check(CLI::PositiveNumber);
  command->add_option("--batch", flags->batch_size, "Images per forward pass")
      ->check(CLI::Range(1, 65536))
      ->capture_default_str();
  command->add_option("--save-every", flags->save_every, "Seconds of work that a kill may cost")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command->add_flag("--append", flags->append, "Add images of another source to the store");
  command->add_flag("--retry-bad", flags->retry_bad,
                    "Try images again that could not be read before");
  command->add_flag("--force", flags->force, "Replace a store that is there");
}

}  // namespace dino::cli
