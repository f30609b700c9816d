// Spreads the student's CLS features of a batch: by KoLeo (DINOv2, DINOv3), or by a rival of it. It
// has no head and no teacher, and accompanies an objective that has.
#include <ATen/CPUGeneratorImpl.h>
#include <torch/types.h>

#include "dino/loss/coding_rate.h"
#include "dino/loss/koleo.h"
#include "dino/loss/sigreg.h"
#include "dino/objectives/objective.h"
#include "dino/recipe/recipe.h"

namespace dino::objectives {
namespace {

class Spread final : public Objective {
 public:
  explicit Spread(const recipe::Recipe& recipe) : options_(recipe.spread) {}

  std::string_view name() const override { return "spread"; }
  Needs needs() const override { return {}; }

  /** The sum over both global views: two crops of one image must not repel each other. */
  torch::Tensor loss(const Views& views, const Scheduled&) override {
    const auto views_of = views.student_global.cls.split(views.images);  // 2 x [B, D]
    return of(views_of[0], views.seed) + of(views_of[1], views.seed);
  }

 private:
  torch::Tensor of(const torch::Tensor& features, std::uint64_t seed) const {
    if (options_.by == "koleo") return loss::koleo_loss(features, options_.group);
    if (options_.by == "sigreg")
      return loss::sigreg_loss(features, at::make_generator<at::CPUGeneratorImpl>(seed));
    if (options_.by == "coding_rate") return loss::coding_rate_loss(features);
    return features.sum() * 0;
  }

  recipe::Spread options_;
};

}  // namespace

std::unique_ptr<Objective> make_spread(const recipe::Recipe& recipe) {
  return std::make_unique<Spread>(recipe);
}

}  // namespace dino::objectives
