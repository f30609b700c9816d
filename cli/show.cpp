// dino show attention|pca|neighbors|crops|masks: one picture, as PNG.
#include <algorithm>
#include <memory>
#include <numeric>

#include "cli/commands.h"
#include "cli/network.h"
#include "cli/recipe_flags.h"
#include "dino/base/error.h"
#include "dino/base/text.h"
#include "dino/data/crops/crop_sheet.h"
#include "dino/embed/pictures.h"
#include "dino/eval/recipe_knn.h"
#include "dino/image/codecs/encode.h"
#include "dino/recipe/training_images.h"

namespace dino::cli {
namespace {

struct ShowFlags {
  NetworkFlags network;
  RecipeFlags recipe;
  std::string images, gallery, out;
  std::vector<std::int64_t> index;
  int count = 6, k = 8, stride = 0, tile_px = 112;
  bool center = false, force = false;
};

constexpr std::int64_t kStreamed = 200;  // images of a stream to choose from

using MakeSheet = std::function<image::Sheet(const ShowFlags&, Context&)>;

std::vector<std::int64_t> chosen(const ShowFlags& flags, const data::Dataset& dataset) {
  if (flags.index.empty()) return embed::sample_indices(dataset, flags.count);
  for (const auto index : flags.index)
    if (index < 0 || index >= dataset.size())
      fail(ErrorKind::Usage, "--index {} is not in the data set, which has {} images", index,
           dataset.size());
  return flags.index;
}

std::unique_ptr<data::Dataset> open_images(const std::string& source,
                                           const data::SourceOptions& options) {
  if (source.empty())
    fail(ErrorKind::Usage, "--images is missing: name a folder, a list file or an IDX file");
  return data::open_dataset(source, options);
}

/** Flags of attention and PCA, which need a network and images. */
template <typename F>
image::Sheet map_sheet(const ShowFlags& flags, Context& context, F make) {
  const LoadedNetwork network = load_network(flags.network, context);
  report_precision(context, flags.network, network);
  const auto dataset = open_images(flags.images, data::source_options(network.preprocess));
  const auto squares = embed::load_squares(*dataset, chosen(flags, *dataset), network.preprocess,
                                           static_cast<int>(network.architecture.patch_size()),
                                           flags.network.max_tokens);
  if (squares.empty()) fail(ErrorKind::Data, "[show] none of the chosen images can be read");
  return make(*network.backbone, squares,
              {.preprocess = network.preprocess,
               .patch_size = static_cast<int>(network.architecture.patch_size()),
               .stride = flags.stride});
}

image::Sheet neighbors(const ShowFlags& flags, Context& context) {
  const LoadedNetwork network = load_network(flags.network, context);
  report_precision(context, flags.network, network);
  const auto queries = open_images(flags.images, data::source_options(network.preprocess));
  const bool same = flags.gallery.empty() || flags.gallery == flags.images;
  const auto other =
      same ? nullptr : data::open_dataset(flags.gallery, data::source_options(network.preprocess));
  const data::Dataset& gallery = same ? *queries : *other;
  const auto extract = [&](const data::Dataset& dataset, const std::string& source) {
    auto options = extract_options(context, source);
    options.patch_size = static_cast<int>(network.architecture.patch_size());
    options.max_tokens = flags.network.max_tokens;
    auto matrix = embed::extract_features(*network.backbone, dataset, network.preprocess,
                                          embed::FeatureKind::Cls, options);
    report_bad_images(context, matrix, source);
    return matrix;
  };
  const auto indices = chosen(flags, *queries);
  const auto bank = extract(gallery, same ? flags.images : flags.gallery);
  std::vector<std::int64_t> rows;
  if (same) {  // the queries' features are among those of the gallery
    for (const auto index : indices) {
      const auto found = std::find(bank.indices.begin(), bank.indices.end(), index);
      if (found != bank.indices.end()) rows.push_back(found - bank.indices.begin());
    }
    return embed::neighbor_sheet({gallery, bank}, {gallery, bank}, rows, network.preprocess,
                                 {.k = flags.k, .center = flags.center});
  }
  const auto picked = data::subset(*queries, indices);
  const auto asked = extract(*picked, flags.images);
  rows.resize(asked.indices.size());
  std::iota(rows.begin(), rows.end(), 0);
  return embed::neighbor_sheet({gallery, bank}, {*picked, asked}, rows, network.preprocess,
                               {.k = flags.k, .center = flags.center});
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
        options.evaluation = eval::knn_preprocess(recipe);
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
  const auto attention = [](const ShowFlags& f, Context& c) {
    return map_sheet(f, c, embed::attention_sheet);
  };
  const auto pca = [](const ShowFlags& f, Context& c) { return map_sheet(f, c, embed::pca_sheet); };
  for (const auto& [name, help, make] :
       {std::tuple{"attention", "Where each head of the last block looks", MakeSheet(attention)},
        {"pca", "Patch features as colors", MakeSheet(pca)}}) {
    auto flags = add_picture(*group, context, name, help, make, &command);
    add_network_flags(*command, flags->network);
    command
        ->add_option("--stride", flags->stride,
                     "Pixels between cells of the maps, a divisor of the patch size (default: "
                     "finer for small images)")
        ->check(CLI::PositiveNumber);
  }
  auto flags = add_picture(*group, context, "neighbors", "Images with the most similar features",
                           neighbors, &command);
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
