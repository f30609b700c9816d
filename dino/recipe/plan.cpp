#include "dino/recipe/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "dino/base/error.h"
#include "dino/recipe/curves.h"

namespace dino::recipe {
namespace {

std::int64_t backbone_parameters(const arch::Architecture& architecture) {
  std::int64_t sum = 0;
  for (const arch::TensorSpec& tensor : arch::tensors(architecture))
    if (!tensor.integer)
      sum += std::accumulate(tensor.shape.begin(), tensor.shape.end(), std::int64_t{1},
                             std::multiplies<>());
  return sum;
}

std::int64_t parameters_of(const Head& head, std::int64_t dim) {
  std::int64_t sum = 0, width = dim;
  for (int layer = 0; layer < head.layers; ++layer) {
    const std::int64_t out = layer + 1 == head.layers ? head.bottleneck : head.hidden;
    sum += (width + 1) * out;
    width = out;
  }
  return sum + (width + (head.weight_norm ? 1 : 0)) * head.prototypes;
}

class Events {
 public:
  explicit Events(std::int64_t steps) : steps_(steps) {}
  /** Steps beyond the end never come. */
  void add(std::int64_t step, std::string what) {
    if (step < steps_) all_.push_back({step, std::move(what)});
  }
  std::vector<PlanEvent> sorted() && {
    std::ranges::stable_sort(all_, {}, &PlanEvent::step);
    return std::move(all_);
  }

 private:
  std::int64_t steps_;
  std::vector<PlanEvent> all_;
};

void add_start(const Recipe& r, Events& events) {
  const Start& start = r.start;
  if (!start.from.empty())
    events.add(0, fmt::format("student and teacher begin as {}", start.from));
  if (start.trained_blocks > 0)
    events.add(0, fmt::format("only the last {} blocks and the final norm learn, to the end",
                              start.trained_blocks));
  if (start.frozen_steps > 0) {
    events.add(0, "only heads learn");
    events.add(
        start.frozen_steps,
        start.ramp_steps > 0
            ? fmt::format("the backbone learns too, its rate rising for {} steps", start.ramp_steps)
            : "the backbone learns too");
  }
}

void add_optim(const Recipe& r, const RunLength& length, const Curves& curves, Events& events) {
  const std::int64_t frozen = length.iterations(r.optim.freeze_last_layer_epochs);
  if (frozen > 0) {
    events.add(0, "the last layers of the heads are frozen");
    events.add(frozen, "the last layers of the heads learn");
  }
  const std::int64_t warmup = length.iterations(r.optim.warmup_epochs);
  if (warmup > 0)
    events.add(warmup, fmt::format("warm-up ends: the learning rate is {:.4g}",
                                   curves.at("lr").at(warmup)));
  const std::int64_t warm = length.iterations(r.dino.warmup_teacher_temperature_epochs);
  if (warm > 0 && has_objective(r, "dino"))
    events.add(warm, fmt::format("the teacher's temperature is {}, to the end",
                                 r.dino.teacher_temperature));
}

void add_local_weight(const Recipe& r, const RunLength& length, Events& events) {
  const Dino& dino = r.dino;
  if (has_objective(r, "dino") && dino.local_weight_end != dino.local_weight)
    events.add(
        length.iterations(dino.local_weight_start_epochs),
        fmt::format("the weight of local crops goes from {} to {} in {} steps", dino.local_weight,
                    dino.local_weight_end, length.iterations(dino.local_weight_ramp_epochs)));
}

void add_gram(const Recipe& r, const RunLength& length, Events& events) {
  if (!has_objective(r, "gram")) return;
  const Gram& gram = r.gram;
  if (gram.from == "copy")
    events.add(length.iterations(gram.copy_epochs), "the Gram teacher is copied from the teacher");
  events.add(length.iterations(gram.start_epochs),
             fmt::format("Gram anchoring begins, its weight rising to {} in {} steps", gram.weight,
                         length.iterations(gram.ramp_epochs)));
  const std::int64_t every = length.iterations(gram.update_epochs);
  if (gram.from != "copy" || every == 0) return;
  const std::int64_t first = std::max(length.iterations(gram.first_update_epochs),
                                      length.iterations(gram.copy_epochs) + 1);
  std::int64_t count = 0;
  for (std::int64_t step = (first + every - 1) / every * every; step <= length.total();
       step += every) {
    if (gram.max_updates > 0 && ++count > gram.max_updates) break;
    constexpr std::int64_t kShown = 5;
    if (gram.max_updates == 0 && ++count > kShown) {
      events.add(step, fmt::format("... and every {} steps", every));
      break;
    }
    events.add(step, "the Gram teacher is renewed from the teacher");
  }
}

Curves curves_of(const Recipe& r, const RunLength& length) {
  Curves curves = optimizer_curves(r, length);
  for (const std::string& objective : r.objectives) {
    const Curve weight = objective_weight(r, objective, length);
    if (!std::holds_alternative<double>(weight.shape)) curves["weight_" + objective] = weight;
  }
  return curves;
}

}  // namespace

Plan plan_of(const Recipe& recipe, std::int64_t images) {
  if (recipe.data.epoch_images > 0) images = recipe.data.epoch_images;
  const std::int64_t per_epoch = images / recipe.train.batch_size;
  if (per_epoch == 0)
    fail(ErrorKind::Config, "[recipe] {} images are fewer than train.batch_size = {}", images,
         recipe.train.batch_size);
  const RunLength length{recipe.train.epochs, per_epoch};
  Plan plan;
  plan.steps = length.total();
  plan.steps_per_epoch = per_epoch;
  plan.images_per_step = recipe.train.batch_size;
  plan.micro_batches = recipe.train.accumulate;
  const Curves curves = curves_of(recipe, length);
  Events events(plan.steps);
  add_start(recipe, events);
  add_optim(recipe, length, curves, events);
  add_local_weight(recipe, length, events);
  add_gram(recipe, length, events);
  plan.events = std::move(events).sorted();

  for (const auto& [name, curve] : curves) plan.curves.push_back(name);
  constexpr std::int64_t kRows = 8;
  for (std::int64_t row = 0; row <= kRows; ++row) {
    const std::int64_t step = (plan.steps - 1) * row / kRows;
    if (!plan.rows.empty() && plan.rows.back().step == step) continue;
    PlanRow values{step, {}};
    for (const auto& [name, curve] : curves) values.values.push_back(curve.at(step));
    plan.rows.push_back(std::move(values));
  }

  const arch::Architecture network = architecture_of(recipe);
  plan.student_parameters = backbone_parameters(network);
  if (has_objective(recipe, "dino"))
    plan.head_parameters += parameters_of(recipe.head, network.dim());
  if (has_objective(recipe, "ibot") && !recipe.ibot.tied)
    plan.head_parameters += parameters_of(ibot_head(recipe), network.dim());
  const std::int64_t learned = plan.student_parameters + plan.head_parameters;
  const std::int64_t moments = recipe.optim.optimizer == "adamw" ? 2 : 1;
  std::int64_t floats = learned * (1 + 1 + moments);     // values, gradients, moments
  if (has_objective(recipe, "dino")) floats += learned;  // the teacher
  if (has_objective(recipe, "gram") && recipe.gram.from != "ema") floats += plan.student_parameters;
  plan.state_bytes = floats * static_cast<std::int64_t>(sizeof(float));
  return plan;
}

std::string to_text(const Plan& plan, const Recipe& recipe) {
  std::string text =
      fmt::format("{}: {} steps of {} images, {:g} epochs of {} steps", recipe.name, plan.steps,
                  plan.images_per_step, recipe.train.epochs, plan.steps_per_epoch);
  if (plan.micro_batches > 1)
    text += fmt::format("; {} micro-batches of {} images a step", plan.micro_batches,
                        plan.images_per_step / plan.micro_batches);
  text += fmt::format("\nobjectives  {}\n", fmt::join(recipe.objectives, ", "));
  text += fmt::format(
      "memory      {:.1f} GB of networks, gradients and moments ({:.1f} M parameters, {:.1f} M in "
      "heads); activations come on top\n\n",
      static_cast<double>(plan.state_bytes) / 1e9,
      static_cast<double>(plan.student_parameters) / 1e6,
      static_cast<double>(plan.head_parameters) / 1e6);
  for (const PlanEvent& event : plan.events)
    text += fmt::format("{:>10}  {}\n", event.step, event.what);
  text += fmt::format("\n{:>10}", "step");
  for (const std::string& curve : plan.curves) text += fmt::format("  {:>14}", curve);
  for (const PlanRow& row : plan.rows) {
    text += fmt::format("\n{:>10}", row.step);
    for (const double value : row.values) text += fmt::format("  {:>14.5g}", value);
  }
  return text;
}

}  // namespace dino::recipe
