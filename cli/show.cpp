// dino show attention|pca|neighbors (torch/show.cpp)|crops|masks: one picture, as PNG.
#include <memory>

#include "cli/commands.h"
#include "cli/network_flags.h"
#include "cli/recipe_flags.h"
#include "cli/show_images.h"
#include "cli/torch_actions.h"
#include "dino/base/error.h"
#include "dino/base/text.h"
#include "dino/data/crops/crop_sheet.h"
#include "dino/image/codecs/encode.h"
#include "dino/recipe/training_images.h"

namespace dino::cli {
namespace {

constexpr std::int64_t kStreamed = 200;  // images of a stream to choose from

using MakeSheet = std::function<image::Sheet(const ShowFlags&, Context&)>;

/** One of the pictures that need a network. */
using NetworkSheet = image::Sheet (*TorchActions::*)(const ShowFlags&, Context&);

MakeSheet by_network(NetworkSheet sheet) {
  return [sheet](const ShowFlags& flags, Context& context) {
    check_weights(flags.network);
    return (torch_actions().*sheet)(flags, context);
  };
}

/** Flags of crops and masks, which need a recipe and images. */
template <typename F>
image::Sheet recipe_sheet(const ShowFlags& flags, F make) {
  if (flags.recipe.path.empty())
    fail(ErrorKind::Usage, "--recipe is missing: it says how crops are made");
  const auto recipe = load(flags.recipe);
  const auto show = [&](const data::Dataset& dataset) {
    return make(dataset, chosen(flags, dataset), recipe,
                data::CropSheetOptions{.crops = recipe.crops,
                                       .mixes = recipe.mixes,
                                       .seed = recipe.seed,
                                       .full_range = recipe.data.full_range});
  };
  if (!flags.images.empty())
    return show(*open_images(flags.images, recipe::source_options(recipe)));
  const recipe::TrainingImages images(recipe);
  return images.stream() ? show(*data::first_images(*images.stream(), kStreamed))
                         : show(*images.dataset());
}

image::Sheet crops(const ShowFlags& flags, Context&) {
  return recipe_sheet(
      flags, [](const auto& dataset, const auto& indices, const auto& recipe, auto options) {
        options.evaluation = recipe::knn_preprocess(recipe);
        return data::crop_sheet(dataset, indices, options);
      });
}

image::Sheet masks(const ShowFlags& flags, Context&) {
  return recipe_sheet(flags, [](const auto& dataset, const auto& indices, const auto& recipe,
                                const auto& options) {
    return data::mask_sheet(dataset, indices, options, recipe.masks, recipe::patch_size(recipe));
  });
}

int run_show(const ShowFlags& flags, Context& context, const MakeSheet& make) {
  check_output_free(flags.out, flags.force);
  const auto sheet = make(flags, context);
  if (sheet.tiles.empty()) fail(ErrorKind::Data, "[show] none of the chosen images can be read");
  const auto picture = image::render(sheet, flags.tile_px);
  image::write_png(flags.out, picture);
  print_result(context,
               {{"picture", printable(flags.out)},
                {"width", picture.width},
                {"height", picture.height},
                {"caption", sheet.caption}},
               fmt::format("{} ({} x {} px)\n{}", printable(flags.out), picture.width,
                           picture.height, sheet.caption));
  return kOk;
}

std::shared_ptr<ShowFlags> add_picture(CLI::App& group, Context& context, const char* name,
                                       const char* help, MakeSheet make, CLI::App** command) {
  auto flags = std::make_shared<ShowFlags>();
  *command = add_command(group, context, name, help, [flags, &context, make = std::move(make)] {
    return run_show(*flags, context, make);
  });
  (*command)->add_option("images,--images", flags->images,
                         "Folder, list, archive or array file of images");
  (*command)->add_option("-o,--out", flags->out, "PNG file to write");
  (*command)
      ->add_option("--count", flags->count, "Images to show, spread over the classes")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  (*command)->add_option("--index", flags->index, "Show exactly these images (0 is the first)");
  (*command)
      ->add_option("--tile", flags->tile_px, "Size small images are enlarged to, px")
      ->check(CLI::Range(8, 2048))
      ->capture_default_str();
  (*command)->add_flag("--force", flags->force, "Replace the file");
  return flags;
}

}  // namespace

void add_show(CLI::App& parent, Context& context) {
  CLI::App* group = add_group(parent, "show", "Pictures of what a network sees");
  CLI::App* command = nullptr;
  for (const auto& [name, help, make] :
       {std::tuple{"attention", "Where each head of the last block looks",
                   by_network(&TorchActions::attention)},
        {"pca", "Patch features as colors", by_network(&TorchActions::pca)}}) {
    auto flags = add_picture(*group, context, name, help, make, &command);
    add_network_flags(*command, flags->network);
    command
        ->add_option("--stride", flags->stride,
                     "Pixels between cells of the maps, a divisor of the patch size (default: "
                     "finer for small images)")
        ->check(CLI::PositiveNumber);
  }
  auto flags = add_picture(*group, context, "neighbors", "Images with the most similar features",
                           by_network(&TorchActions::neighbors), &command);
  add_network_flags(*command, flags->network);
  command->add_option("--gallery", flags->gallery,
                      "Where to look for neighbors (default: --images)");
  command->add_option("--k", flags->k, "Neighbors per image")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  command->add_flag("--center", flags->center, "Subtract the gallery's mean feature first");
  for (const auto& [name, help, make] :
       {std::tuple{"crops", "The crops a recipe trains on", MakeSheet(crops)},
        {"masks", "The patches the student does not see", MakeSheet(masks)}}) {
    flags = add_picture(*group, context, name, help, make, &command);
    add_recipe_flags(*command, flags->recipe);
  }
}

}  // namespace dino::cli
