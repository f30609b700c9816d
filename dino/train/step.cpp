#include "dino/train/step.h"

#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "dino/base/error.h"
#include "dino/base/rng.h"

namespace dino::train {

using objectives::Scalar;
using objectives::Views;
using objectives::Weighted;

Step::Step(StudentTeacher& networks, std::vector<Weighted>& objectives, GramTeacher* gram,
           optim::Optimizer& optimizer, const Curves& curves, parallel::Communicator& ranks,
           torch::Generator generator, StepOptions options)
    : networks_(networks),
      objectives_(objectives),
      needs_(objectives::needs_of(objectives)),
      gram_(gram),
      optimizer_(optimizer),
      curves_(curves),
      ranks_(ranks),
      generator_(std::move(generator)),
      options_(std::move(options)) {}

StepReport Step::run(const data::CropBatch& batch, std::int64_t iteration) {
  const int parts = options_.accumulate;
  if (batch.batch_size % parts != 0)
    fail(ErrorKind::Config, "[train] accumulate = {} does not divide the {} images of a batch",
         parts, batch.batch_size);
  const Scheduled now = evaluate(curves_, iteration);
  // Fresh streams each step: nothing of the generator needs saving for an exact resume.
  generator_.set_current_seed(seed_of(iteration));
  torch::Tensor& gradients = networks_.student().arena.gradients();
  gradients.zero_();
  networks_.remember_statistics();
  if (gram_ != nullptr) gram_->begin(iteration);

  std::vector<Scalar> losses;
  for (int part = 0; part < parts; ++part)
    accumulate(MicroBatch(batch, options_.pixels, gradients.device(), part, parts), part, now,
               iteration, losses);
  ranks_.mean({&gradients, 1});

  StepReport step = report(losses, iteration);
  const bool finite =
      std::isfinite(step.figures.at("loss")) && std::isfinite(step.figures.at("gradient_norm"));
  if (!ranks_.all(finite)) {
    networks_.restore_statistics();
    step.skipped = true;
    return step;
  }
  optimizer_.step(now.at("lr"), now.at("weight_decay"), iteration);
  for (const Weighted& weighted : objectives_) weighted.objective->commit(now, ranks_);
  if (networks_.kind() == TeacherKind::Ema) networks_.follow(now.at("momentum"));
  if (gram_ != nullptr) gram_->end(iteration);
  return step;
}

std::uint64_t Step::seed_of(std::int64_t iteration) const {
  return Rng(options_.seed, static_cast<std::uint64_t>(iteration), /*sample=*/~0ULL, /*view=*/1)
      .next_u64();
}

void Step::accumulate(const MicroBatch& batch, int part, const Scheduled& now,
                      std::int64_t iteration, std::vector<Scalar>& losses) {
  const int parts = options_.accumulate;
  const torch::Tensor globals = batch.globals();  // once for both networks
  Views views = teacher_views(batch, globals, iteration);
  views.part = part;
  views.parts = parts;
  views.seed = seed_of(iteration);
  {
    const torch::NoGradGuard no_grad;
    for (const Weighted& weighted : objectives_) weighted.objective->targets(views, now, ranks_);
  }
  add_student_views(batch, globals, views);

  torch::Tensor total;
  for (std::size_t i = 0; i < objectives_.size(); ++i) {
    const torch::Tensor loss = objectives_[i].objective->loss(views, now);
    const torch::Tensor term = loss * (objectives_[i].weight.at(iteration) / parts);
    total = total.defined() ? total + term : term;
    const torch::Tensor share = loss.detach().to(torch::kFloat64) / parts;
    if (part == 0)
      losses.push_back({fmt::format("loss_{}", objectives_[i].objective->name()), share});
    else
      losses[i].value = losses[i].value + share;
  }
  if (total.requires_grad()) total.backward();
}

Views Step::teacher_views(const MicroBatch& batch, const torch::Tensor& globals,
                          std::int64_t iteration) {
  Views views;
  views.images = batch.images();
  if (needs_.masks) {
    auto [masked, patches, weights] = batch.masks();
    views.masks = masked;
    views.masked_patches = patches;
    views.mask_weights = std::move(weights);
  }
  if (!needs_.teacher) return views;
  const torch::NoGradGuard no_grad;
  const torch::Tensor own = batch.teacher_globals();
  views.teacher_global = networks_.teacher().backbone->forward_groups(
      {{own.defined() ? own : globals, {}}}, needs_.teacher_tokens)[0];
  const bool anchored = std::ranges::any_of(objectives_, [&](const Weighted& weighted) {
    return weighted.objective->needs().gram && weighted.weight.at(iteration) > 0;
  });
  if (!anchored) return views;
  const torch::Tensor larger = batch.gram_crops();
  views.gram_patches = gram_ == nullptr ? views.teacher_global.patches
                                        : gram_->patches(larger.defined() ? larger : globals);
  return views;
}

void Step::add_student_views(const MicroBatch& batch, const torch::Tensor& globals, Views& views) {
  std::vector<model::CropGroup> groups = {{globals, views.masks}};
  if (const torch::Tensor locals = batch.locals(); locals.defined()) groups.push_back({locals, {}});
  auto features = networks_.student().backbone->forward_groups(groups, needs_.student_tokens);
  views.student_global = std::move(features[0]);
  if (features.size() > 1) views.student_local = std::move(features[1]);
}

StepReport Step::report(const std::vector<Scalar>& losses, std::int64_t iteration) {
  std::vector<Scalar> all = losses;
  for (const Weighted& weighted : objectives_)
    for (Scalar& scalar : weighted.objective->figures()) all.push_back(std::move(scalar));
  std::vector<torch::Tensor> values;
  for (const Scalar& scalar : all) values.push_back(scalar.value.to(torch::kFloat64));
  std::vector<torch::Tensor> joined = {torch::stack(values)};
  ranks_.mean(joined);
  const torch::Tensor fetched = joined[0].cpu();  // the one wait for the device but for the norms

  StepReport step;
  for (std::size_t i = 0; i < all.size(); ++i)
    step.figures[all[i].name] = fetched.const_data_ptr<double>()[i];
  double total = 0;
  for (std::size_t i = 0; i < objectives_.size(); ++i)
    total += objectives_[i].weight.at(iteration) * step.figures.at(losses[i].name);
  step.figures["loss"] = total;
  step.figures["gradient_norm"] = optimizer_.measure_gradients();
  return step;
}

}  // namespace dino::train
