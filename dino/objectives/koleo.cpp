// KoLeo (DINOv2): the student's CLS features of a batch are spread over the sphere. It has no head
// and no teacher, and accompanies an objective that has.
#include <torch/types.h>

#include "dino/loss/koleo.h"
#include "dino/objectives/objective.h"
#include "dino/recipe/recipe.h"

namespace dino::objectives {
namespace {

class Koleo final : public Objective {
 public:
  std::string_view name() const override { return "koleo"; }
  Needs needs() const override { return {}; }

  /** The sum over both global views: two crops of one image must not repel each other. */
  torch::Tensor loss(const Views& views, const Scheduled&) override {
    const auto views_of = views.student_global.cls.split(views.images);  // 2 x [B, D]
    return loss::koleo_loss(views_of[0]) + loss::koleo_loss(views_of[1]);
  }
};

}  // namespace

std::unique_ptr<Objective> make_koleo(const recipe::Recipe&) {
  return std::make_unique<Koleo>();
}

}  // namespace dino::objectives
