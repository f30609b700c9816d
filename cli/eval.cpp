// dino eval: how good are features of images (torch/knn.cpp) and of patches (torch/patches.cpp)?
#include <memory>

#include "cli/commands.h"
#include "cli/network_flags.h"
#include "cli/torch_actions.h"
#include "dino/base/error.h"

namespace dino::cli {
namespace {

int run_knn(const KnnFlags& flags, Context& context) {
  if (flags.train.empty() || flags.test.empty())
    fail(ErrorKind::Usage,
         "name labeled images: --train for the gallery that votes, --test for the queries");
  if (flags.features != "pixels") check_weights(flags.network);
  return torch_actions().knn(flags, context);
}

int run_patches(const PatchFlags& flags, Context& context) {
  if (flags.scenes.empty())
    fail(ErrorKind::Usage, "--scenes is missing: name a folder that dino data scenes made");
  check_weights(flags.network);
  if (flags.network.resize > 0)
    fail(ErrorKind::Usage, "--resize {}: scenes are fed whole; --image-size says how large",
         flags.network.resize);
  return torch_actions().patches(flags, context);
}

void add_patches(CLI::App& group, Context& context) {
  auto flags = std::make_shared<PatchFlags>();
  CLI::App* patches = add_command(group, context, "patches",
                                  "Mean IoU of patch features on composed scenes, by k-NN and by a "
                                  "linear classifier",
                                  [flags, &context] { return run_patches(*flags, context); });
  add_network_flags(*patches, flags->network);
  patches->add_option("--scenes", flags->scenes, "Folder of scenes, from dino data scenes");
  patches
      ->add_option("--features", flags->features,
                   "patches; untrained (fresh weights); pixels (those of each patch)")
      ->check(CLI::IsMember({"patches", "untrained", "pixels"}))
      ->capture_default_str();
  patches->add_option("--gallery", flags->gallery, "Patches of training scenes to learn from")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  patches->add_option("--test-scenes", flags->test_scenes, "Test scenes to judge; 0 = all")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  patches->add_option("--k", flags->k, "Neighbors that vote")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  patches->add_option("--temperature", flags->temperature, "Sharpness of the votes")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  patches->add_option("--seed", flags->seed, "Of which patches are taken");
}

}  // namespace

void add_eval(CLI::App& parent, Context& context) {
  CLI::App* group = add_group(parent, "eval", "Measure features");
  auto flags = std::make_shared<KnnFlags>();
  CLI::App* knn = add_command(*group, context, "knn",
                              "Weighted k-nearest-neighbor accuracy (no training on top)",
                              [flags, &context] { return run_knn(*flags, context); });
  add_network_flags(*knn, flags->network);
  knn->add_option("--train", flags->train, "Labeled images that vote");
  knn->add_option("--test", flags->test, "Labeled images to classify");
  knn->add_option(
         "--features", flags->features,
         "cls; cls+mean (CLS and mean patch); untrained (fresh weights); pixels (no network)")
      ->check(CLI::IsMember({"cls", "cls+mean", "untrained", "pixels"}))
      ->capture_default_str();
  knn->add_option("--k", flags->k, "Neighbors that vote; several at once, e.g. --k 10 20 100 200")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  knn->add_option("--temperature", flags->temperature, "Sharpness of the votes")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  knn->add_flag("--center", flags->center, "Subtract the gallery's mean feature first");
  knn->add_option("--shift", flags->shift_px,
                  "Also with queries shifted by up to this many px and mirrored at random")
      ->check(CLI::Range(1, 4096));
  knn->add_option("--channels", flags->channels,
                  "1 gray, 3 RGB (only for pixels without --weights)")
      ->check(CLI::IsMember({1, 3}));
  knn->add_option("--seed", flags->seed, "Of the shifts");
  add_patches(*group, context);
}

}  // namespace dino::cli
