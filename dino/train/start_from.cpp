#include "dino/train/start_from.h"

#include <ATen/CPUGeneratorImpl.h>
#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "dino/base/error.h"
#include "dino/model/backbone_file.h"
#include "dino/model/vit.h"
#include "dino/run/checkpoint_store.h"
#include "dino/run/run_dir.h"

namespace dino::train {
namespace {

namespace fs = std::filesystem;
using Values = std::vector<std::pair<std::string, torch::Tensor>>;

/** The tensors of a module by name, parameters and statistics. */
Values tensors_of(const torch::nn::Module& module) {
  Values all;
  for (const auto& item : module.named_parameters()) all.emplace_back(item.key(), item.value());
  for (const auto& item : module.named_buffers()) all.emplace_back(item.key(), item.value());
  return all;
}

/** The teacher of a run's newest checkpoint, "backbone.*" and heads. */
Values teacher_of(const fs::path& run) {
  const run::RunLayout layout{run};
  const auto checkpoint = run::CheckpointStore(layout.checkpoints(), 1).newest();
  if (!checkpoint)
    fail(ErrorKind::Config, "[start] {} is a run without a checkpoint; name its weights instead",
         run.string());
  const std::string prefix = "teacher.";
  Values all;
  for (const format::TensorRecord& record : checkpoint->file.tensors())
    if (record.name.starts_with(prefix))
      all.emplace_back(record.name.substr(prefix.size()), model::borrow(record).clone());
  return all;
}

Values weights_of(const model::LoadedBackbone& loaded) {
  Values all = tensors_of(*loaded.backbone);
  for (auto& [name, tensor] : all) name = "backbone." + name;
  return all;
}

/** Filters [D, C, h, w] for another number of channels. */
torch::Tensor for_channels(const torch::Tensor& filters, std::int64_t channels) {
  const double ratio = static_cast<double>(filters.size(1)) / static_cast<double>(channels);
  return (filters.mean(1, /*keepdim=*/true) * ratio).repeat({1, channels, 1, 1});
}

/** A tensor as the network `wants` it, if it can be made so. */
std::optional<torch::Tensor> fitted(const std::string& name, const torch::Tensor& found,
                                    const torch::Tensor& wanted, const arch::Vit& vit) {
  if (found.sizes() == wanted.sizes()) return found;
  if (name == "backbone.pos_embed" && found.dim() == 3 && found.size(2) == wanted.size(2)) {
    const auto side =
        static_cast<std::int64_t>(std::lround(std::sqrt(static_cast<double>(wanted.size(1) - 1))));
    return model::interpolate_positions(found, side, side, vit.positions, /*square_image=*/true);
  }
  const bool is_stem = found.dim() == 4 && wanted.dim() == 4 && found.size(0) == wanted.size(0) &&
                       found.size(1) != wanted.size(1) && found.size(2) == wanted.size(2) &&
                       found.size(3) == wanted.size(3);
  if (is_stem) return for_channels(found, wanted.size(1));
  return std::nullopt;
}

/** Copies into one of the two networks; returns the names that were not found. */
std::vector<std::string> fill(const Values& from, Branch& branch, const recipe::Recipe& recipe) {
  const arch::Architecture network = recipe::architecture_of(recipe);
  const torch::NoGradGuard no_grad;
  std::vector<std::string> missing;
  for (auto& [name, wanted] : tensors_of(*branch.module)) {
    const auto found =
        std::ranges::find_if(from, [&](const auto& item) { return item.first == name; });
    const bool is_backbone = name.starts_with("backbone.");
    if (found == from.end()) {
      missing.push_back(name);
      continue;
    }
    const auto value = fitted(name, found->second, wanted, network.vit);
    if (!value && is_backbone)
      fail(ErrorKind::Config,
           "[start] {} holds {} of shape [{}], and [backbone] makes it [{}]; set backbone.arch, "
           "patch_size and sizes to those of the file (dino inspect says them)",
           recipe.start.from, name, fmt::join(found->second.sizes().vec(), ", "),
           fmt::join(wanted.sizes().vec(), ", "));
    if (value)
      wanted.copy_(*value);
    else
      missing.push_back(name);
  }
  return missing;
}

/** Only what self-distillation adds to a backbone may be missing in a file. */
void check_missing(const std::vector<std::string>& missing, const recipe::Recipe& recipe) {
  for (const std::string& name : missing)
    if (name.starts_with("backbone.") && name != "backbone.mask_token" &&
        !name.starts_with("backbone.local_cls_norm"))
      fail(ErrorKind::Config,
           "[start] {} has no {}, which [backbone] needs; set backbone.arch to the network of the "
           "file (dino inspect says it)",
           recipe.start.from, name);
}

/** The features of the student against those of the file, for one image of noise. */
void check_features(const recipe::Recipe& recipe, model::Precision precision, SslModel& model,
                    const model::LoadedBackbone& loaded) {
  const arch::Architecture& theirs = loaded.network.architecture;
  const arch::Architecture ours = recipe::architecture_of(recipe);
  if (theirs.channels != ours.channels || theirs.patch_size() != ours.patch_size()) return;
  const int px = theirs.family == arch::Family::Vit ? theirs.image_size : ours.image_size;
  if (px != ours.image_size && ours.vit.positions != arch::Positions::Rope) return;
  const torch::Tensor image = torch::randn({1, theirs.channels, px, px},
                                           at::make_generator<at::CPUGeneratorImpl>(recipe.seed));
  model::Backbone& student = *model.student().backbone;
  const torch::NoGradGuard no_grad;
  loaded.backbone->set_precision(model::Precision::Fp32);
  const torch::Tensor expected = loaded.backbone->forward_features(image).cls;
  student.eval();
  student.set_precision(model::Precision::Fp32);
  const torch::Tensor found =
      student.forward_groups({{image, {}}}, model::Tokens::Cls)[0].cls.to(torch::kFloat32);
  student.set_precision(precision);
  student.train();
  const double error = (found - expected).norm().item<double>() / expected.norm().item<double>();
  constexpr double kRounding = 1e-3;
  if (!(error < kRounding))
    fail(ErrorKind::Config,
         "[start] the backbone filled from {} gives other features than the file itself (relative "
         "difference {:.3f}); [backbone] differs from its network in something that has no shape",
         recipe.start.from, error);
}

}  // namespace

void start_from(const recipe::Recipe& recipe, model::Precision precision, SslModel& model,
                const LogSink& log) {
  const fs::path path = recipe.start.from;
  const bool is_run = fs::is_directory(run::RunLayout{path}.checkpoints());
  std::optional<model::LoadedBackbone> loaded;
  if (!is_run) loaded = model::load_backbone(path);
  const Values values = is_run ? teacher_of(path) : weights_of(*loaded);
  const std::vector<std::string> missing = fill(values, model.student(), recipe);
  check_missing(missing, recipe);
  if (model.has_teacher()) fill(values, model.teacher(), recipe);
  std::set<std::string> random;
  for (const std::string& name : missing) random.insert(name.substr(0, name.find('.', 9)));
  if (loaded) check_features(recipe, precision, model, *loaded);
  dino::log(
      log, LogLevel::Info,
      fmt::format(
          "starting from {}{}", path.string(),
          random.empty() ? "" : fmt::format("; random as before: {}", fmt::join(random, ", "))));
}

}  // namespace dino::train
