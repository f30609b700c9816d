// DINO (Caron et al. 2021): every student view predicts, through a head, the teacher's distribution
// over K prototypes of every other view; the teacher's logits are centered and sharpened.
#include <torch/types.h>

#include <cmath>
#include <string>
#include <utility>

#include "dino/base/error.h"
#include "dino/loss/dino_loss.h"
#include "dino/objectives/objective.h"
#include "dino/objectives/prototypes.h"
#include "dino/recipe/recipe.h"

namespace dino::objectives {
namespace {

// Bounds of the alarms as shares of ln K (section 5.3, figure 7); an episode ends at twice a bound.
// An untrained head already gives targets about one nat below ln K, a healthy teacher stays well
// inside the first two.
constexpr double kUniform = 0.99;    // the teacher's entropy is above this
constexpr double kOneHot = 0.01;     // the teacher's entropy is below this
constexpr double kConstant = 0.001;  // KL(teacher || student) is below this
constexpr double kStuck = 0.005;     // the loss is as near to ln K as this

class Dino final : public Objective {
 public:
  explicit Dino(const recipe::Recipe& recipe)
      : options_(recipe.dino),
        head_(recipe.head),
        optim_(recipe.optim),
        targets_(recipe.dino, recipe.head.prototypes) {}

  std::string_view name() const override { return "dino"; }
  Needs needs() const override { return {.teacher = true}; }

  std::vector<NamedModule> make_heads(Role role, const HeadContext& context) override {
    auto head = make_head(head_, context);
    (role == Role::Student ? student_head_ : teacher_head_) = head;
    return {{"dino_head", head}};
  }

  std::vector<optim::ParamRule> param_rules(const RunLength& length) const override {
    return head_rules("dino_head", head_, optim_, length);
  }

  Curves curves(const RunLength& length) const override {
    const bool each_epoch = options_.temperature_each == "epoch";
    const double warmup = options_.warmup_teacher_temperature_epochs;
    return {
        {"teacher_temperature",
         {LinearWarmup{.start = options_.warmup_teacher_temperature,
                       .end = options_.teacher_temperature,
                       .warmup = each_epoch ? std::llround(warmup) : length.iterations(warmup)},
          each_epoch ? length.iterations_per_epoch : 1}},
        {"local_weight",
         {WarmupCosineConstant{.start = options_.local_weight,
                               .peak = options_.local_weight,
                               .end = options_.local_weight_end,
                               .warmup = length.iterations(options_.local_weight_start_epochs),
                               .cosine = length.iterations(options_.local_weight_ramp_epochs)}}}};
  }

  void targets(const Views& views, const Scheduled& now, parallel::Communicator& ranks) override {
    probabilities_ = targets_.of(teacher_head_->forward(views.teacher_global.cls),
                                 now.at("teacher_temperature"), views.part, views.parts, ranks);
  }

  torch::Tensor loss(const Views& views, const Scheduled& now) override {
    torch::Tensor cls = views.student_global.cls;
    if (views.student_local.cls.defined()) cls = torch::cat({cls, views.student_local.cls});
    // The logits are handed over: nobody else reads them, so the loss may use their memory.
    torch::Tensor loss = loss::dino_loss(student_head_->forward(cls), probabilities_, views.images,
                                         options_.student_temperature, now.at("local_weight"));
    // As if no pair were worth less than another: else it could not be compared with the entropy.
    const auto locals = static_cast<double>(cls.size(0) / views.images - 2);
    const double pairs = 2 + 2 * locals, weighted = 2 + 2 * locals * now.at("local_weight");
    const torch::Tensor share =
        loss.detach().to(torch::kFloat64) * (pairs / (weighted * views.parts));
    cross_entropy_ = views.part == 0 ? share : cross_entropy_ + share;
    probabilities_.reset();
    return loss;
  }

  void commit(const Scheduled&, parallel::Communicator& ranks) override { targets_.commit(ranks); }

  std::vector<model::NamedTensor> state() const override {
    return {{"dino_loss.center", targets_.center()}};
  }

  std::vector<Scalar> figures() const override {
    return {{"teacher_entropy", targets_.entropy()},
            {"teacher_student_kl", cross_entropy_ - targets_.entropy()}};
  }

  std::vector<Metric> metrics() const override {
    const double ln_k = uniform_entropy();
    return {{.name = "teacher_entropy",
             .title = "Teacher entropy",
             .unit = "nats",
             .progress = "entropy",
             .reference = ln_k,
             .reference_label = fmt::format("ln K = {:.2f}: uniform", ln_k)},
            {.name = "teacher_student_kl", .title = "KL (teacher ‖ student)", .unit = "nats"}};
  }

  std::vector<AlarmRule> alarms() const override;

 private:
  double uniform_entropy() const { return std::log(static_cast<double>(head_.prototypes)); }

  recipe::Dino options_;
  recipe::Head head_;
  recipe::Optim optim_;
  std::shared_ptr<model::DinoHead> student_head_, teacher_head_;
  TeacherTargets targets_;
  torch::Tensor probabilities_;  // [2 B, K] fp32, from targets() to loss()
  torch::Tensor cross_entropy_;  // fp64, of this step: the mean over pairs
};

/** Half the rate, and the teacher's temperature times `factor`. */
std::map<std::string, double> calmer(double factor) {
  return {{"optim.lr", 0.5},
          {"dino.teacher_temperature", factor},
          {"dino.warmup_teacher_temperature", factor}};
}

/** Also half the color changes: where they are larger than what tells images apart, two crops of
 * one image are less alike than crops of two, and the targets decay to uniform at any temperature.
 */
std::map<std::string, double> more_alike(std::map<std::string, double> remedy) {
  remedy["crops.brightness"] = remedy["crops.contrast"] = 0.5;
  return remedy;
}

std::vector<AlarmRule> Dino::alarms() const {
  const double ln_k = uniform_entropy();
  const auto about = [ln_k](double share) { return share * ln_k; };
  const std::string k = fmt::format("{:.3f}", ln_k);
  return {
      {.name = "uniform_collapse",
       .metric = "teacher_entropy",
       .low = about(kUniform),
       .margin = about(1 - kUniform),
       .message = "collapse: the teacher spreads every image evenly over all prototypes (entropy "
                  "{value:.3f} of ln K = " +
                  k +
                  "). Weaken crops.brightness and crops.contrast, set dino.centering to "
                  "sinkhorn_knopp, lower dino.teacher_temperature (0.03) or optim.lr",
       .remedy = more_alike(calmer(0.7))},
      {.name = "one_hot_collapse",
       .metric = "teacher_entropy",
       .high = about(kOneHot),
       .margin = about(kOneHot),
       .message =
           "collapse: the teacher puts each image on a single prototype (entropy {value:.4f}; "
           "ln K = " +
           k +
           "). Raise dino.teacher_temperature (0.04 to 0.07), lower "
           "dino.center_momentum (0.9), or lower optim.lr",
       .remedy = calmer(1.5)},
      {.name = "constant_output",
       .metric = "teacher_student_kl",
       .high = about(kConstant),
       .margin = about(kConstant),
       .message =
           "collapse: student and teacher agree on every crop (KL {value:.5f}), so the output "
           "hardly depends on the image. Lower optim.lr, check that the crops differ (dino "
           "show crops)",
       .remedy = calmer(1)},
      {.name = "loss_stuck",
       .metric = "loss_dino",
       .low = ln_k - about(kStuck),
       .high = ln_k + about(kStuck),
       .margin = about(kStuck),
       .message = "the loss is stuck at ln K = " + k +
                  " after {steps} steps: nothing is being "
                  "learned. Raise optim.lr, shorten optim.warmup_epochs or "
                  "optim.freeze_last_layer_epochs, check the crops (dino show crops)",
       // A uniform teacher also has its loss at ln K; one alarm about one fact.
       .unless = "uniform_collapse"}};
}

}  // namespace

std::unique_ptr<Objective> make_dino(const recipe::Recipe& recipe) {
  return std::make_unique<Dino>(recipe);
}

}  // namespace dino::objectives
