// dino inspect: says what a path holds: a run, a checkpoint, weights, a feature store, or a data
// set (inspect_data.cpp).
#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "cli/commands.h"
#include "cli/inspect_data.h"
#include "cli/network_flags.h"
#include "cli/weights_summary.h"
#include "dino/base/error.h"
#include "dino/base/file.h"
#include "dino/base/json.h"
#include "dino/base/json_lines.h"
#include "dino/base/text.h"
#include "dino/embed/store/feature_store.h"
#include "dino/format/tensor_file.h"
#include "dino/run/checkpoint_store.h"
#include "dino/run/run_dir.h"
#include "dino/weights/read.h"
#include "dino/weights/select.h"

namespace dino::cli {
namespace {

namespace fs = std::filesystem;

struct TensorGroup {
  std::int64_t tensors = 0, values = 0, bytes = 0;
};

/** Tensors summed by the first part of their names ("backbone", "student", ...). */
std::map<std::string, TensorGroup> group_tensors(const std::vector<format::TensorRecord>& tensors) {
  std::map<std::string, TensorGroup> groups;
  for (const format::TensorRecord& tensor : tensors) {
    TensorGroup& group = groups[tensor.name.substr(0, tensor.name.find('.'))];
    ++group.tensors;
    group.values += format::element_count(tensor.shape);
    group.bytes += static_cast<std::int64_t>(tensor.bytes.size());
  }
  return groups;
}

void add_tensors(Finding& finding, const std::vector<format::TensorRecord>& tensors) {
  for (const auto& [name, group] : group_tensors(tensors)) {
    finding.document["tensors"][name] = {
        {"count", group.tensors}, {"values", group.values}, {"bytes", group.bytes}};
    finding.text +=
        fmt::format("  {:<24} {:>5} tensors {:>12} values {:>9.1f} MB\n", name, group.tensors,
                    group.values, static_cast<double>(group.bytes) / 1e6);
  }
}

/** The weights of the teacher if there are two networks. */
void add_heads(Finding& finding, const fs::path& path) {
  const nlohmann::json heads = heads_summary(weights::read_heads(path));
  finding.document["heads"] = heads;
  finding.text += heads_text(heads);
  if (!heads.empty() && finding.document["kind"] == "tensors") finding.document["kind"] = "heads";
}

std::string percent_or_none(double share) {
  return share < 0 ? "none yet" : fmt::format("{:.1f} %", 100 * share);
}

Finding inspect_checkpoint(const fs::path& path) {
  const run::Checkpoint checkpoint = run::open_checkpoint(path);
  const run::CheckpointInfo& info = checkpoint.info;
  Finding finding;
  finding.document = {{"kind", "checkpoint"}, {"path", printable(path)}, {"info", info}};
  finding.text = fmt::format(
      "training checkpoint {}\n  step {} (epoch {:.2f}), {} images in {}, best k-NN {}\n  {}, {} "
      "threads\n",
      printable(path), info.iteration,
      static_cast<double>(info.iteration) /
          static_cast<double>(std::max<std::int64_t>(info.iterations_per_epoch, 1)),
      info.images, format_duration(info.total_seconds), percent_or_none(info.best_knn),
      info.precision, info.threads);
  add_heads(finding, path);
  add_tensors(finding, checkpoint.file.tensors());
  return finding;
}

/** Whether the path is named like weights; anything else may be a data set. */
bool may_hold_weights(const fs::path& path) {
  const std::string name = path.filename().string();
  if (fs::is_directory(path))
    return fs::exists(path / "model.safetensors") || fs::exists(path / "pytorch_model.bin") ||
           fs::exists(path / "model.safetensors.index.json");
  return name.ends_with(".safetensors") || name.ends_with(".pth") || name.ends_with(".pt") ||
         name.ends_with(".bin") || name.ends_with(".ckpt") || name.ends_with(".pth.tar") ||
         name.ends_with(".index.json");
}

Finding inspect_tensors(const fs::path& path) {
  const format::TensorFile file = format::open_tensors(path);
  if (file.metadata().contains("dino_checkpoint")) return inspect_checkpoint(path);
  Finding finding;
  finding.document = {{"kind", "tensors"},
                      {"path", printable(path)},
                      {"container", format::container_name(file.container())}};
  finding.text =
      fmt::format("{}, a {} file\n", printable(path), format::container_name(file.container()));
  if (const auto networks = weights::networks_in(file.tensors()); !networks.empty()) {
    finding.document["networks"] = networks;
    finding.text +=
        fmt::format("  a training checkpoint, of a {}\n", fmt::join(networks, " and a "));
  }
  try {
    const weights::Weights weights = weights::read(path);
    const nlohmann::json summary = weights_summary(weights);
    finding.document["kind"] = "weights";
    finding.document["weights"] = summary;
    finding.text += "backbone weights of " + weights_text(summary);
    for (const char* part : {"architecture", "preprocess"})
      for (const auto& [key, value] : summary["network"][part].items())
        finding.text += fmt::format("    {:<24} {}\n", key, value.dump());
    try {
      weights::require_finite(weights, true);
    } catch (const Error& error) {
      finding.document["not_finite"] = error.what();
      finding.text += fmt::format("  cannot be used: {}\n", error.what());
    }
  } catch (const Error& error) {
    finding.document["no_backbone"] = error.what();
    try {
      add_heads(finding, path);
    } catch (const Error& of_heads) {
      finding.text += fmt::format("  no head of DINO: {}\n", of_heads.what());
    }
    if (finding.document["kind"] != "heads")
      finding.text += fmt::format("  no backbone of DINO: {}\n", error.what());
  }
  if (!file.scalars().empty()) {
    finding.document["scalars"] = file.scalars();
    finding.text += "  besides tensors:";
    for (const auto& [key, value] : file.scalars().items()) finding.text += " " + key;
    finding.text += "\n";
  }
  add_tensors(finding, file.tensors());
  return finding;
}

Finding inspect_run(const run::RunLayout& layout) {
  Finding finding;
  finding.document = {{"kind", "run"}, {"path", printable(layout.root)}};
  finding.text = fmt::format("training run {}\n", printable(layout.root));
  const run::CheckpointStore store(layout.checkpoints(), 1);
  nlohmann::json& checkpoints = finding.document["checkpoints"] = nlohmann::json::array();
  for (const fs::path& path : store.list()) checkpoints.push_back(printable(path));
  finding.text += fmt::format("  {} checkpoints\n", checkpoints.size());
  if (const auto newest = store.newest()) {
    const run::CheckpointInfo& info = newest->info;
    finding.document["newest"] = info;
    finding.text += fmt::format("  newest: step {}, {} images in {}, last k-NN {}, best k-NN {}\n",
                                info.iteration, info.images, format_duration(info.total_seconds),
                                percent_or_none(info.last_knn), percent_or_none(info.best_knn));
  }
  if (fs::exists(layout.summary())) {
    finding.document["summary"] = read_json_file(layout.summary());
    finding.text += fmt::format("  finished; summary: {}\n", printable(layout.summary()));
  } else {
    finding.text += fmt::format("  not finished; continue with: dino train --resume {}\n",
                                printable(layout.root));
  }
  return finding;
}

Finding inspect_store(const fs::path& path) {
  const embed::FeatureStore store(path);
  const embed::StoreHeader& header = store.header();
  std::vector<std::string_view> features;
  for (const embed::Feature feature : header.features) features.push_back(name_of(feature));
  std::set<std::pair<int, int>> grids;
  std::map<std::string, std::int64_t> classes;
  for (const embed::StoreRow& row : store.rows()) {
    grids.emplace(row.grid_height, row.grid_width);
    if (row.label >= 0) ++classes[store.class_names()[static_cast<std::size_t>(row.label)]];
  }
  const char* dtype = header.dtype == format::DType::F16 ? "f16" : "f32";
  Finding finding;
  finding.document = {{"kind", "feature store"},
                      {"path", printable(path)},
                      {"images", store.size()},
                      {"bad_images", store.bad_count()},
                      {"features", features},
                      {"dtype", dtype},
                      {"dimensions", header.dim},
                      {"registers", header.registers},
                      {"patch_size", header.patch_size},
                      {"grids", grids.size()},
                      {"bytes", store.bytes()},
                      {"shard_rows", header.shard_rows},
                      {"sources", store.sources()},
                      {"classes", classes},
                      {"precision", header.precision},
                      {"kernels", store.kernels()},
                      {"weights_hash", header.weights_hash},
                      {"network", parse_json_if_valid(header.network).value_or(header.network)}};
  finding.text = fmt::format(
      "feature store {}\n  {} images, {} could not be read, {} classes\n  {} of {} numbers in {}, "
      "{:.1f} MB\n",
      printable(path), store.size(), store.bad_count(), classes.size(), fmt::join(features, ", "),
      header.dim, dtype, static_cast<double>(store.bytes()) / 1e6);
  if (grids.size() == 1)
    finding.text += fmt::format("  grid of {} x {} patches of {} px\n", grids.begin()->first,
                                grids.begin()->second, header.patch_size);
  else
    finding.text +=
        fmt::format("  {} different grids of patches of {} px\n", grids.size(), header.patch_size);
  finding.text +=
      fmt::format("  images of {}\n  weights {}, run in {}{}{}\n", fmt::join(store.sources(), ", "),
                  header.weights_hash, header.precision, store.kernels().empty() ? "" : " by ",
                  fmt::join(store.kernels(), ", "));
  return finding;
}

Finding inspect(const fs::path& path, const DataFlags& flags, int threads) {
  if (!fs::exists(path)) fail(ErrorKind::Io, "[inspect] {} does not exist", printable(path));
  if (const run::RunLayout layout{path}; fs::is_directory(path) && layout.holds_run())
    return inspect_run(layout);
  if (embed::FeatureStore::is_store(path)) return inspect_store(path);
  if (may_hold_weights(path)) return inspect_tensors(path);
  return inspect_data(path.string(), flags, threads);
}

}  // namespace

void add_inspect(CLI::App& parent, Context& context) {
  struct Flags {
    std::string path;
    DataFlags data;
    CLI::App* data_command = nullptr;
  };
  auto flags = std::make_shared<Flags>();
  flags->data.images = 200;
  const auto run = [flags, &context] {
    if (flags->path.empty())
      fail(ErrorKind::Usage, "[inspect] the path is missing: name a run, weights or a data set");
    const Finding finding = inspect(flags->path, flags->data, context.threads);
    print_result(context, finding.document, finding.text);
    return kOk;
  };
  auto data_flags = std::make_shared<DataFlags>();
  auto source = std::make_shared<std::string>();
  const auto run_data = [data_flags, source, &context] {
    const Finding finding = inspect_data(*source, *data_flags, context.threads);
    print_result(context, finding.document, finding.text);
    return kOk;
  };
  // The command's own callback comes after that of its sub-command.
  CLI::App* command =
      add_command(parent, context, "inspect",
                  "Say what a run, checkpoint, weights file, feature store or data set holds",
                  [=] { return flags->data_command->parsed() ? run_data() : run(); });
  command->add_option("path", flags->path,
                      "Run, weights (.safetensors, .pth, Hugging Face folder), feature store, or "
                      "images (folder, list, archive or array file)");
  command
      ->add_option("--channels", flags->data.channels,
                   "Channels to decode images into (default: as stored)")
      ->check(CLI::Range(1, 4096));
  add_value_range(*command, flags->data.decode.value_range);
  command->add_option("--sample", flags->data.images, "Images to decode, spread over the data set")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();

  flags->data_command = add_command(*command, context, "data",
                                    "Read every image of a data set: sizes, depths, broken files, "
                                    "duplicates, mean and standard deviation",
                                    run_data);
  flags->data_command
      ->add_option("source", *source, "Folder, list, archive or array file of images")
      ->required();
  flags->data_command->add_flag("--stats", data_flags->statistics,
                                "Mean and standard deviation per channel, for a recipe");
  flags->data_command
      ->add_option("--channels", data_flags->channels,
                   "Channels to decode images into (default: as stored)")
      ->check(CLI::Range(1, 4096));
  add_value_range(*flags->data_command, data_flags->decode.value_range);
  flags->data_command
      ->add_option("--sample", data_flags->images,
                   "Images to look at, spread over the data set (default: all)")
      ->check(CLI::PositiveNumber);
}

}  // namespace dino::cli
