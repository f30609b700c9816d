// dino embed: images -> features.npy and index.jsonl.
#include <filesystem>
#include <memory>

#include "cli/commands.h"
#include "cli/network.h"
#include "dino/base/error.h"
#include "dino/base/file.h"
#include "dino/base/json.h"
#include "dino/base/text.h"
#include "dino/format/npy.h"

namespace dino::cli {
namespace {

namespace fs = std::filesystem;

struct EmbedFlags {
  NetworkFlags network;
  std::string images, out;
  std::string features = "cls";
  int batch_size = 256;
  bool force = false;
};

/** One line per row of features.npy. */
void write_index(const fs::path& path, const data::Dataset& dataset,
                 const embed::FeatureMatrix& matrix) {
  write_file_atomically(path, [&](const std::function<void(std::span<const std::byte>)>& sink) {
    const auto& names = dataset.class_names();
    for (std::size_t row = 0; row < matrix.indices.size(); ++row) {
      nlohmann::json line = {{"row", row},
                             {"index", matrix.indices[row]},
                             {"path", printable(dataset.name(matrix.indices[row]))}};
      if (matrix.labels[row] >= 0) {
        line["label"] = matrix.labels[row];
        line["class"] = printable(names.at(static_cast<std::size_t>(matrix.labels[row])));
      }
      const std::string text = dump_json(line) + "\n";
      sink(std::as_bytes(std::span(text.data(), text.size())));
    }
  });
}

int run_embed(const EmbedFlags& flags, Context& context) {
  if (flags.images.empty())
    fail(ErrorKind::Usage, "--images is missing: name a folder, a list file or an IDX file");
  if (flags.out.empty()) fail(ErrorKind::Usage, "--out is missing: name a directory");
  const fs::path out = flags.out, features = out / "features.npy", index = out / "index.jsonl";
  check_output_free(features.string(), flags.force);
  check_output_free(index.string(), flags.force);
  const Network network = load_network(flags.network);
  const auto dataset = data::open_dataset(flags.images, network.preprocess.channels);
  auto options = extract_options(context, flags.images);
  options.batch_size = flags.batch_size;
  const auto kind =
      flags.features == "cls+mean" ? embed::FeatureKind::ClsAndMeanPatch : embed::FeatureKind::Cls;
  const auto matrix =
      embed::extract_features(*network.backbone, *dataset, network.preprocess, kind, options);
  report_bad_images(context, matrix, flags.images);

  std::error_code error;
  fs::create_directories(out, error);
  if (error)
    fail(ErrorKind::Io, "[embed] cannot make directory {}: {}", printable(out), error.message());
  // The index comes last and an old one goes first: where there is an index, it is that of the
  // features beside it.
  fs::remove(index, error);
  const std::int64_t rows = matrix.features.size(0), dim = matrix.features.size(1);
  format::write_npy(features,
                    {.name = "features",
                     .dtype = format::DType::F32,
                     .shape = {rows, dim},
                     .bytes = std::as_bytes(std::span(matrix.features.const_data_ptr<float>(),
                                                      static_cast<std::size_t>(rows * dim)))});
  write_index(index, *dataset, matrix);
  print_result(context,
               {{"features", printable(features)},
                {"index", printable(index)},
                {"images", rows},
                {"dimensions", dim},
                {"bad_images", matrix.bad_count}},
               fmt::format("{} x {} features in {}, their images in {}", rows, dim,
                           printable(features), printable(index)));
  return kOk;
}

}  // namespace

void add_embed(CLI::App& parent, Context& context) {
  auto flags = std::make_shared<EmbedFlags>();
  CLI::App* command =
      add_command(parent, context, "embed", "Write the features of images to a file",
                  [flags, &context] { return run_embed(*flags, context); });
  add_network_flags(*command, flags->network);
  command->add_option("--images", flags->images, "Folder, list file or IDX file");
  command->add_option("--out", flags->out,
                      "Directory for features.npy and index.jsonl, made if missing");
  command->add_option("--features", flags->features, "cls, or cls+mean (CLS and mean patch)")
      ->check(CLI::IsMember({"cls", "cls+mean"}))
      ->capture_default_str();
  command->add_option("--batch", flags->batch_size, "Images per forward pass")
      ->check(CLI::Range(1, 65536))
      ->capture_default_str();
  command->add_flag("--force", flags->force, "Replace features that are there");
}

}  // namespace dino::cli
