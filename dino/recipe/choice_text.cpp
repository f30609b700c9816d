#include "dino/recipe/choice_text.h"

#include <fmt/format.h>

#include <cmath>

#include "dino/base/text.h"

namespace dino::recipe {
namespace {

std::string kind_of(const ImageFacts& facts) {
  std::string kind = facts.channels == 1   ? "gray"
                     : facts.channels == 3 ? "color"
                                           : fmt::format("{} bands", facts.channels);
  if (facts.full_range) kind += ", more than 8 bits or colors";
  if (facts.transparent)
    kind += ", transparent (white is put behind)";
  else if (facts.plain_ground)
    kind += ", on a plain ground";
  return kind;
}

std::string images_line(const ImageFacts& facts) {
  std::string line = fmt::format("{} of about {} x {} px, {}", facts.images, facts.width,
                                 facts.height, kind_of(facts));
  if (facts.bad_share > 0)
    line += fmt::format("; {:.1f} % cannot be read and are left out", 100 * facts.bad_share);
  if (facts.shrunk_px > 0)
    line += fmt::format(", shrunk once to {} px, as reading them each time would take longer",
                        facts.shrunk_px);
  if (facts.classes > 0)
    return line + fmt::format("; {} classes ({}): labels only measure, they do not train",
                              facts.classes, printable(facts.class_examples));
  return line + "; no folders that look like classes: nothing can be measured with labels";
}

std::string crops_line(const ImageFacts& facts, const Recipe& r) {
  const char* why = facts.short_side() <= r.crops.global_size
                        ? "as large as the images are"
                        : "larger ones would cost more time than they give";
  return fmt::format("2 of {} px and {} of {} px from each image: {}", r.crops.global_size,
                     r.crops.local_count, r.crops.local_size, why);
}

std::string network_line(const ImageFacts& facts, const Recipe& r) {
  const arch::Vit& vit = architecture_of(r).vit;
  return fmt::format(
      "ViT with {} blocks of width {}, patches of {} px, {} prototypes: what {} images can teach "
      "in this time",
      vit.depth, vit.dim, vit.patch_size, r.head.prototypes, facts.images);
}

std::string training_line(const ImageFacts& facts, const Recipe& r) {
  return fmt::format(
      "{:.4g} epochs = {:.0f} steps of {} images, rate {:g}: many small steps teach "
      "small sets more than few large ones",
      r.train.epochs, std::ceil(steps_of(facts.images, r)), r.train.batch_size, r.optim.lr);
}

std::string time_line(const Pace& pace) {
  return fmt::format("{:g} min: training {} at {:.0f} images/s ({}), k-NN and report {}",
                     pace.minutes, format_duration(pace.plan.training),
                     1 / (pace.speed.step + pace.speed.load), pace.source,
                     format_duration(pace.plan.evaluation));
}

}  // namespace

std::array<std::string, 5> describe_choice(const ImageFacts& facts, const Recipe& recipe,
                                           const Pace& pace) {
  return {"images    " + images_line(facts), "crops     " + crops_line(facts, recipe),
          "network   " + network_line(facts, recipe), "training  " + training_line(facts, recipe),
          "time      " + time_line(pace)};
}

std::string commented_toml(const Choice& choice, const std::array<std::string, 5>& lines) {
  std::string text = "# Chosen by dino for these images, this machine and this time:\n";
  for (const std::string& line : lines) text += fmt::format("#   {}\n", line);
  return text + "# Every key is here; docs/recipes.md says what each does.\n\n" +
         to_toml(choice.recipe, choice.reasons);
}

}  // namespace dino::recipe
