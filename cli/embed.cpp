// dino embed: images -> a feature store (torch/embed.cpp); dino embed export: a store -> one file.
#include <filesystem>
#include <memory>

#include "cli/commands.h"
#include "cli/network_flags.h"
#include "cli/torch_actions.h"
#include "dino/base/error.h"
#include "dino/base/text.h"
#include "dino/embed/store/store_export.h"

namespace dino::cli {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> feature_words() {
  std::vector<std::string> words;
  for (const auto& [feature, word] : embed::kFeatureWords) words.emplace_back(word);
  return words;
}

int run_embed(const EmbedFlags& flags, Context& context) {
  if (flags.images.empty())
    fail(ErrorKind::Usage, "--images is missing: name a folder, a list file or an IDX file");
  if (flags.out.empty()) fail(ErrorKind::Usage, "--out is missing: name a directory");
  check_weights(flags.network);
  return torch_actions().embed(flags, context);
}

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
                                               : embed::features_named(flags.features);
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
