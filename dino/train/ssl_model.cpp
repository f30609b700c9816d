#include "dino/train/ssl_model.h"

#include <ATen/CPUGeneratorImpl.h>
#include <fmt/format.h>
#include <torch/nn/module.h>
#include <torch/types.h>

#include <optional>
#include <set>
#include <string>
#include <utility>

#include "dino/objectives/registry.h"
#include "dino/optim/optimizer.h"
#include "dino/recipe/curves.h"
#include "dino/train/gram_teacher.h"
#include "dino/train/step.h"

namespace dino::train {
namespace {

using objectives::Objective;
using objectives::Role;
using objectives::Weighted;

Branch make_branch(const recipe::Recipe& recipe, model::Precision precision, Role role,
                   const std::vector<Weighted>& objectives, torch::Generator generator) {
  const recipe::Backbone& b = recipe.backbone;
  model::TrainingOptions options{.layer_scale = b.layer_scale};
  if (role == Role::Student) {  // the teacher sees every block and every position as it is
    options.drop_path = b.drop_path;
    if (b.drop_path_rule == "subset") options.drop_path_rule = model::DropPath::Subset;
    options.rope_augment = {b.rope_shift, b.rope_jitter, b.rope_rescale};
  }
  Branch branch;
  branch.module = std::make_shared<torch::nn::Module>();
  branch.backbone = model::make_backbone(recipe::architecture_of(recipe), options, generator);
  branch.backbone->set_precision(precision);
  branch.module->register_module("backbone", branch.backbone);
  objectives::HeadContext context{
      .dim = branch.backbone->dim(), .precision = precision, .generator = generator};
  for (const Weighted& weighted : objectives)
    for (auto& [name, head] : weighted.objective->make_heads(role, context)) {
      branch.module->register_module(name, head);
      context.made[name] = std::move(head);
    }
  branch.arena = model::ParamArena(*branch.module, /*with_gradients=*/role == Role::Student);
  return branch;
}

/** An EMA teacher, if any objective looks at one. */
StudentTeacher make_networks(const recipe::Recipe& recipe, model::Precision precision,
                             const std::vector<Weighted>& objectives, torch::Generator generator) {
  Branch student = make_branch(recipe, precision, Role::Student, objectives, generator);
  if (!needs_of(objectives).teacher) return {TeacherKind::None, std::move(student), std::nullopt};
  return {TeacherKind::Ema, std::move(student),
          make_branch(recipe, precision, Role::Teacher, objectives, generator)};
}

std::optional<GramTeacher> make_gram_teacher(const recipe::Recipe& recipe, const RunLength& length,
                                             StudentTeacher& networks,
                                             const std::vector<Weighted>& objectives,
                                             model::Precision precision) {
  if (!needs_of(objectives).gram || recipe.gram.from == "ema") return std::nullopt;
  return std::make_optional<GramTeacher>(recipe, length, *networks.teacher().backbone, precision);
}

/** [start]: the backbone waits for its heads, or for ever. */
std::vector<optim::ParamRule> start_rules(const recipe::Recipe& recipe) {
  const recipe::Start& start = recipe.start;
  std::vector<optim::ParamRule> rules = {
      {.names = "backbone.*", .frozen_until = start.frozen_steps, .ramp = start.ramp_steps}};
  const auto freeze = [&](const std::string& names) {
    rules.push_back({.names = "backbone." + names, .frozen_until = optim::kAlways});
  };
  if (start.frozen_tokens || start.trained_blocks > 0)
    for (const char* token : {"cls_token", "mask_token", "register_tokens"}) freeze(token);
  if (start.trained_blocks > 0) {
    freeze("patch_embed.*");
    freeze("pos_embed");
    const std::int64_t depth = recipe::architecture_of(recipe).vit.depth;
    for (std::int64_t block = 0; block < depth - start.trained_blocks; ++block)
      freeze(fmt::format("blocks.{}.*", block));
  }
  return rules;
}

std::vector<optim::ParamGroup> groups_of(const recipe::Recipe& recipe,
                                         const model::ParamArena& arena,
                                         const std::vector<Weighted>& objectives,
                                         const RunLength& length) {
  std::vector<optim::ParamRule> rules = optim::no_decay_of_vectors();
  for (optim::ParamRule& rule :
       optim::layer_decay(recipe.optim.layer_decay, recipe::architecture_of(recipe).vit.depth))
    rules.push_back(std::move(rule));
  rules.push_back({.names = "backbone.patch_embed.*", .lr_scale = recipe.optim.patch_embed_lr});
  for (optim::ParamRule& rule : start_rules(recipe)) rules.push_back(std::move(rule));
  if (recipe.optim.clip_by == "part") {
    std::set<std::string> parts;  // "backbone", "dino_head", ...
    for (const model::ParamSlice& slice : arena.slices())
      parts.insert(slice.name.substr(0, slice.name.find('.')));
    for (const std::string& part : parts)
      rules.push_back({.names = part + ".*", .clip_group = part});
  }
  for (const Weighted& weighted : objectives)
    for (optim::ParamRule& rule : weighted.objective->param_rules(length))
      rules.push_back(std::move(rule));
  return optim::param_groups(arena.slices(), rules);
}

optim::OptimizerOptions options_of(const recipe::Optim& optim) {
  return {.algorithm = optim::algorithm_from_name(optim.optimizer),
          .betas = optim.betas,
          .eps = optim.eps,
          .clip = optim.clip_grad};
}

/** What all objectives give, in their order. */
template <typename Part>
std::vector<Part> collect(const std::vector<Weighted>& objectives,
                          std::vector<Part> (Objective::*give)() const) {
  std::vector<Part> all;
  for (const Weighted& weighted : objectives) {
    const std::vector<Part> parts = (weighted.objective.get()->*give)();
    all.insert(all.end(), parts.begin(), parts.end());
  }
  return all;
}

}  // namespace

struct SslModel::Impl {
  RunLength length;
  parallel::Alone alone;
  torch::Generator generator;
  std::vector<Weighted> objectives;
  StudentTeacher networks;
  std::optional<GramTeacher> gram;
  optim::Optimizer optimizer;
  Curves curves;
  Step step;

  Impl(const recipe::Recipe& r, model::Precision precision, std::int64_t per_epoch,
       parallel::Communicator* ranks)
      : length{r.train.epochs, per_epoch},
        generator(at::detail::createCPUGenerator(r.seed)),
        objectives(objectives::make_objectives(r, length)),
        networks(make_networks(r, precision, objectives, generator)),
        gram(make_gram_teacher(r, length, networks, objectives, precision)),
        optimizer(options_of(r.optim), networks.student().arena,
                  groups_of(r, networks.student().arena, objectives, length)),
        curves(recipe::optimizer_curves(r, length)),
        step(networks, objectives, gram ? &*gram : nullptr, optimizer, curves,
             ranks != nullptr ? *ranks : alone, generator,
             {.seed = r.seed,
              .accumulate = r.train.accumulate,
              .pixels = {r.crops.mean, r.crops.std}}) {
    for (const Weighted& weighted : objectives) curves.merge(weighted.objective->curves(length));
  }
};

SslModel::SslModel(const recipe::Recipe& recipe, model::Precision precision,
                   std::int64_t iterations_per_epoch, parallel::Communicator* ranks)
    : impl_(std::make_unique<Impl>(recipe, precision, iterations_per_epoch, ranks)) {}
SslModel::~SslModel() = default;

Branch& SslModel::student() {
  return impl_->networks.student();
}
Branch& SslModel::teacher() {
  return impl_->networks.teacher();
}

bool SslModel::has_teacher() const {
  return impl_->networks.kind() != TeacherKind::None;
}

model::Backbone& SslModel::for_use() {
  const bool follows = impl_->networks.kind() == TeacherKind::Ema;
  return follows ? *teacher().backbone : *student().backbone;
}

Scheduled SslModel::schedule(std::int64_t iteration) const {
  return evaluate(impl_->curves, iteration);
}

StepReport SslModel::step(const data::CropBatch& batch, std::int64_t iteration) {
  return impl_->step.run(batch, iteration);
}

std::vector<Metric> SslModel::metrics() const {
  return collect(impl_->objectives, &Objective::metrics);
}

std::vector<AlarmRule> SslModel::alarms() const {
  return collect(impl_->objectives, &Objective::alarms);
}

std::vector<model::NamedTensor> SslModel::state() const {
  std::vector<model::NamedTensor> all = impl_->networks.state();
  if (impl_->gram)
    for (model::NamedTensor& tensor : impl_->gram->state()) all.push_back(std::move(tensor));
  for (const auto& part : {collect(impl_->objectives, &Objective::state), impl_->optimizer.state()})
    all.insert(all.end(), part.begin(), part.end());
  return all;
}

void SslModel::load_state(std::span<const format::TensorRecord> tensors) {
  model::restore(state(), tensors);
}

}  // namespace dino::train
