#include "dino/train/gram_teacher.h"

#include <torch/types.h>

#include "dino/base/error.h"
#include "dino/model/backbone_file.h"

namespace dino::train {
namespace {

/** Weights from a file, for crops like this recipe's. */
std::shared_ptr<model::Backbone> load(const recipe::Recipe& recipe, model::Precision precision) {
  auto loaded = model::load_backbone(recipe.gram.from);
  const arch::Architecture& a = loaded.network.architecture;
  if (a.channels != recipe.data.channels)
    fail(ErrorKind::Config, "[gram] {} is for {} channels, and data.channels is {}",
         recipe.gram.from, a.channels, recipe.data.channels);
  loaded.backbone->set_precision(precision);
  return loaded.backbone;
}

}  // namespace

GramTeacher::GramTeacher(const recipe::Recipe& recipe, const RunLength& length,
                         model::Backbone& teacher, model::Precision precision)
    : options_(recipe.gram),
      copy_at_(length.iterations(recipe.gram.copy_epochs)),
      update_every_(length.iterations(recipe.gram.update_epochs)),
      first_update_(length.iterations(recipe.gram.first_update_epochs)),
      ema_(teacher) {
  if (options_.from != "copy") {
    network_ = load(recipe, precision);
    return;
  }
  network_ = model::make_backbone(recipe::architecture_of(recipe), {}, {});
  network_->set_precision(precision);
  network_->eval();
  copy();
}

void GramTeacher::copy() {
  const torch::NoGradGuard no_grad;
  const auto from = ema_.named_parameters();
  for (auto& item : network_->named_parameters()) item.value().copy_(from[item.key()]);
}

void GramTeacher::begin(std::int64_t iteration) {
  if (options_.from == "copy" && iteration == copy_at_) copy();
}

void GramTeacher::end(std::int64_t iteration) {
  if (options_.from != "copy" || update_every_ == 0) return;
  const std::int64_t done = iteration + 1;
  if (done < first_update_ || done <= copy_at_ || done % update_every_ != 0) return;
  const std::int64_t from = std::max(first_update_, copy_at_ + 1);
  const std::int64_t updates = done / update_every_ - (from - 1) / update_every_;
  if (options_.max_updates == 0 || updates <= options_.max_updates) copy();
}

torch::Tensor GramTeacher::patches(const torch::Tensor& crops) {
  const torch::NoGradGuard no_grad;
  return network_->forward_groups({{crops, {}}}, model::Tokens::ClsAndPatches)[0].patches;
}

std::vector<model::NamedTensor> GramTeacher::state() const {
  std::vector<model::NamedTensor> state;
  if (options_.from != "copy") return state;
  for (const auto& item : network_->named_parameters())
    state.push_back({"gram_teacher." + item.key(), item.value()});
  return state;
}

}  // namespace dino::train
