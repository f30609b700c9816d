// Gram anchoring (DINOv3, section 4.2): late in training dense features grow noisy while CLS still
// improves; the similarities of the student's patches are held to those of a Gram teacher, which
// saw the same crops, perhaps larger, and stays as it is.
#include <torch/types.h>

#include "dino/loss/gram_loss.h"
#include "dino/objectives/objective.h"
#include "dino/recipe/recipe.h"

namespace dino::objectives {
namespace {

class Gram final : public Objective {
 public:
  explicit Gram(const recipe::Recipe& recipe) : options_(recipe.gram) {}

  std::string_view name() const override { return "gram"; }
  Needs needs() const override {
    return {.teacher = true,
            .student_tokens = model::Tokens::ClsAndPatches,
            .teacher_tokens =
                options_.from == "ema" ? model::Tokens::ClsAndPatches : model::Tokens::Cls,
            .masks = options_.tokens != "all",
            .gram = true};
  }
  torch::Tensor loss(const Views& views, const Scheduled&) override {
    if (!views.gram_patches.defined()) return torch::zeros({});
    const torch::Tensor& student = views.student_global.patches;  // [2 B, P, D]
    const torch::Tensor teacher = loss::to_grid(views.gram_patches, student.size(1));
    const loss::GramOptions how{.normalize = options_.normalize,
                                .per_image = options_.per_image,
                                .remove_negatives = options_.negatives == "remove",
                                .remove_teacher_negatives = options_.negatives == "remove_teacher"};
    if (options_.tokens == "all") return loss::gram_loss(student, teacher, how);
    // As many patches of each crop as its mask says: they make one matrix for the whole batch.
    const torch::Tensor chosen = options_.tokens == "masked" ? views.masks : ~views.masks;
    const auto rows = [&](const torch::Tensor& x) {
      return x.flatten(0, 1).index_select(0, chosen.flatten().nonzero().squeeze(1)).unsqueeze(0);
    };
    return loss::gram_loss(rows(student), rows(teacher), how);
  }

 private:
  recipe::Gram options_;
};

}  // namespace

std::unique_ptr<Objective> make_gram(const recipe::Recipe& recipe) {
  return std::make_unique<Gram>(recipe);
}

}  // namespace dino::objectives
