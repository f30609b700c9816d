// iBOT (Zhou et al. 2022), as DINOv2 has it: the student sees its global crops with patches
// replaced by a mask token, and predicts, through a head, what the teacher says of these patches,
// which it sees. The teacher's head runs on masked patches only.
#include <torch/types.h>

#include <cmath>
#include <string>
#include <utility>

#include "dino/base/error.h"
#include "dino/loss/ibot_loss.h"
#include "dino/objectives/objective.h"
#include "dino/objectives/prototypes.h"
#include "dino/recipe/recipe.h"

namespace dino::objectives {
namespace {

constexpr double kUniformPatches = 0.995;  // of ln K: the teacher says nothing of any patch

class Ibot final : public Objective {
 public:
  explicit Ibot(const recipe::Recipe& recipe)
      : options_(recipe.ibot),
        dino_(recipe.dino),
        head_(recipe::ibot_head(recipe)),
        optim_(recipe.optim),
        targets_(recipe.dino, head_.prototypes) {}

  std::string_view name() const override { return "ibot"; }
  Needs needs() const override {
    return {.teacher = true,
            .student_tokens = model::Tokens::ClsAndPatches,
            .teacher_tokens = model::Tokens::ClsAndPatches,
            .masks = true};
  }

  std::vector<NamedModule> make_heads(Role role, const HeadContext& context) override {
    std::shared_ptr<model::DinoHead>& head = role == Role::Student ? student_head_ : teacher_head_;
    if (options_.tied) {
      head = std::dynamic_pointer_cast<model::DinoHead>(context.made.at("dino_head"));
      return {};
    }
    head = make_head(head_, context);
    return {{"ibot_head", head}};
  }

  std::vector<optim::ParamRule> param_rules(const RunLength& length) const override {
    if (options_.tied) return {};
    return head_rules("ibot_head", head_, optim_, length);
  }

  void targets(const Views& views, const Scheduled& now, parallel::Communicator& ranks) override {
    probabilities_ = targets_.of(teacher_head_->forward(masked(views.teacher_global, views)),
                                 now.at("teacher_temperature"), views.part, views.parts, ranks);
  }

  torch::Tensor loss(const Views& views, const Scheduled&) override {
    torch::Tensor loss = loss::ibot_loss(
        student_head_->forward(masked(views.student_global, views)), probabilities_,
        views.mask_weights, views.student_global.cls.size(0), dino_.student_temperature);
    probabilities_.reset();
    return loss;
  }

  void commit(const Scheduled&, parallel::Communicator& ranks) override { targets_.commit(ranks); }

  std::vector<model::NamedTensor> state() const override {
    return {{"ibot_loss.center", targets_.center()}};
  }

  std::vector<Scalar> figures() const override {
    return {{"patch_teacher_entropy", targets_.entropy()}};
  }

  std::vector<Metric> metrics() const override {
    const double ln_k = uniform_entropy();
    return {{.name = "patch_teacher_entropy",
             .title = "Teacher entropy of masked patches",
             .unit = "nats",
             .reference = ln_k,
             .reference_label = fmt::format("ln K = {:.2f}: uniform", ln_k)}};
  }

  std::vector<AlarmRule> alarms() const override {
    const double ln_k = uniform_entropy();
    return {
        {.name = "uniform_patches",
         .metric = "patch_teacher_entropy",
         .low = kUniformPatches * ln_k,
         .margin = (1 - kUniformPatches) * ln_k,
         .message = fmt::format(
             "the teacher spreads every patch evenly over all prototypes (entropy {{value:.3f}} "
             "of ln K = {:.3f}), so masked patches teach nothing. Lower ibot.prototypes or "
             "dino.teacher_temperature",
             ln_k),
         .unless = "uniform_collapse"}};
  }

 private:
  double uniform_entropy() const { return std::log(static_cast<double>(head_.prototypes)); }
  /** Rows [M, D] of the masked patches. */
  static torch::Tensor masked(const model::GroupFeatures& features, const Views& views) {
    return features.patches.flatten(0, 1).index_select(0, views.masked_patches);
  }

  recipe::Ibot options_;
  recipe::Dino dino_;
  recipe::Head head_;
  recipe::Optim optim_;
  std::shared_ptr<model::DinoHead> student_head_, teacher_head_;
  TeacherTargets targets_;
  torch::Tensor probabilities_;  // [M, K] fp32, from targets() to loss()
};

}  // namespace

std::unique_ptr<Objective> make_ibot(const recipe::Recipe& recipe) {
  return std::make_unique<Ibot>(recipe);
}

}  // namespace dino::objectives
