// Ranges of single keys (from recipe_fields.h), then the pairs of keys that contradict each other.
#include <algorithm>

#include "dino/base/text.h"
#include "dino/recipe/recipe.h"
#include "dino/recipe/recipe_fields.h"

namespace dino::recipe {
namespace {

/** TOML is UTF-8 by definition: any other string could be typed but never read back from the run's
 * recipe. */
template <typename Options>
void check_text(std::string_view section, const Options& options) {
  visit_fields(options, [&](std::string_view key, const auto& value, const auto&) {
    if constexpr (std::is_same_v<std::decay_t<decltype(value)>, std::string>) {
      if (!is_utf8(value))
        fail(ErrorKind::Config,
             "[recipe] {}{}{} is not UTF-8, which a recipe cannot hold; rename it or make a link "
             "with "
             "a plain name",
             section, section.empty() ? "" : ".", key);
    }
  });
}

void check_multiple(std::string_view key, std::int64_t value, std::int64_t patch_size) {
  if (value % patch_size != 0)
    fail(
        ErrorKind::Config,
        "[recipe] {} = {} is not a multiple of the backbone's patch size {}; change one of the two",
        key, value, patch_size);
}

void check_backbone(const Recipe& r) {
  const arch::Architecture a = architecture_of(r);
  arch::validate(a);
  for (const auto& [key, factor] : {std::pair("rope_jitter", r.backbone.rope_jitter),
                                    {"rope_rescale", r.backbone.rope_rescale}})
    if (factor > 0 && factor < 1)
      fail(ErrorKind::Config,
           "[recipe] backbone.{} = {} is a largest factor: at least 1, or 0 for none", key, factor);
  if (a.family != arch::Family::Vit && a.family != arch::Family::Xcit) return;  // any size will do
  const std::int64_t patch = a.patch_size();
  check_multiple("crops.global_size", r.crops.global_size, patch);
  if (r.crops.local_count > 0) check_multiple("crops.local_size", r.crops.local_size, patch);
  check_multiple("crops.gram_size", r.crops.gram_size, patch);
  check_multiple("crops.local_window_step", r.crops.local_window_step, patch);
  for (const int size : r.mixes.global_size) check_multiple("mixes.global_size", size, patch);
  for (const int size : r.mixes.gram_size) check_multiple("mixes.gram_size", size, patch);
  // DINOv3's 168 px are ten and a half patches: the network leaves the remainder out.
  for (const int size : r.mixes.local_size)
    if (size < patch)
      fail(ErrorKind::Config,
           "[recipe] mixes.local_size = {} is less than the backbone's patch size {}; change one "
           "of the "
           "two",
           size, patch);
  check_multiple("knn.image_size", r.knn.image_size, patch);
}

void check_training(const Recipe& r) {
  if (r.objectives.empty())
    fail(ErrorKind::Config, "[recipe] objectives is empty; allowed: {}",
         fmt::join(objective_names(), ", "));
  for (auto name = r.objectives.begin(); name != r.objectives.end(); ++name)
    if (std::find(r.objectives.begin(), name, *name) != name)
      fail(ErrorKind::Config, "[recipe] objectives names {} twice", *name);
  const auto names = [&](std::string_view name) { return has_objective(r, name); };
  if (names("ibot")) {
    if (r.masks.share == 0)
      fail(ErrorKind::Config,
           "[recipe] objectives names ibot, which predicts masked patches, and masks.share is 0; "
           "set masks.share (DINOv2: 0.5)");
    if (architecture_of(r).family != arch::Family::Vit)
      fail(ErrorKind::Config,
           "[recipe] objectives names ibot, but backbone.arch = {} cannot mask patches; use a ViT",
           r.backbone.arch);
    if (!names("dino"))
      fail(ErrorKind::Config,
           "[recipe] objectives names ibot without dino, whose teacher temperature {}it shares; "
           "name dino first (dino.weight may be 0)",
           r.ibot.tied ? "and head " : "");
    if (std::ranges::find(r.objectives, "ibot") < std::ranges::find(r.objectives, "dino"))
      fail(ErrorKind::Config, "[recipe] objectives names ibot before dino; name dino first");
  }
  if (r.start.trained_blocks > architecture_of(r).vit.depth &&
      architecture_of(r).family == arch::Family::Vit)
    fail(ErrorKind::Config,
         "[recipe] start.trained_blocks = {}, and the backbone has {} blocks; 0 trains all of them",
         r.start.trained_blocks, architecture_of(r).vit.depth);
  const int micro_batch = r.train.batch_size / std::max(1, r.train.accumulate);
  if (r.spread.group > 0 && micro_batch % r.spread.group != 0)
    fail(ErrorKind::Config,
         "[recipe] spread.group = {} does not divide the {} images of a micro-batch "
         "(train.batch_size / train.accumulate)",
         r.spread.group, micro_batch);
  if (names("gram")) {
    if (!names("dino"))
      fail(ErrorKind::Config,
           "[recipe] objectives names gram without dino, whose teacher is the Gram teacher or the "
           "source of one; name dino too");
    if (r.gram.from == "ema" && r.crops.gram_size > 0)
      fail(ErrorKind::Config,
           "[recipe] gram.from = ema takes the teacher's features of the global crops, and "
           "crops.gram_size = {} asks for others; set it to 0, or gram.from to copy",
           r.crops.gram_size);
    if (r.gram.tokens != "all" && r.masks.share == 0)
      fail(ErrorKind::Config,
           "[recipe] gram.tokens = {} chooses patches by masks, and masks.share is 0; set one of "
           "the two",
           r.gram.tokens);
    if (r.gram.from == "copy" && r.gram.copy_epochs > r.gram.start_epochs)
      fail(ErrorKind::Config,
           "[recipe] gram.copy_epochs = {} is after gram.start_epochs = {}: the Gram teacher would "
           "be the network as it began; take the copy by then",
           r.gram.copy_epochs, r.gram.start_epochs);
  }
  if (r.train.batch_size % r.train.accumulate != 0)
    fail(ErrorKind::Config,
         "[recipe] train.batch_size = {} is not a multiple of train.accumulate = {}",
         r.train.batch_size, r.train.accumulate);
  if (r.optim.warmup_epochs > r.train.epochs)
    fail(ErrorKind::Config, "[recipe] optim.warmup_epochs = {} is longer than train.epochs = {}",
         r.optim.warmup_epochs, r.train.epochs);
  if (r.dino.warmup_teacher_temperature_epochs > r.train.epochs)
    fail(ErrorKind::Config,
         "[recipe] dino.warmup_teacher_temperature_epochs = {} is longer than train.epochs = {}",
         r.dino.warmup_teacher_temperature_epochs, r.train.epochs);
}

void check_data(const Recipe& r) {
  const Data& d = r.data;
  if (!d.train.empty() && !d.sources.empty())
    fail(ErrorKind::Config,
         "[recipe] data.train = {} and data.sources are both set; name the images once", d.train);
  if (d.channels != 1 && d.channels != 3 && !d.full_range)
    fail(ErrorKind::Config,
         "[recipe] data.channels = {} needs data.full_range = true; 8-bit crops have 1 or 3",
         d.channels);
  if (d.full_range && d.batch_type == "uint8")
    fail(ErrorKind::Config,
         "[recipe] data.batch_type = uint8 cannot hold data.full_range; use fp32 or bf16");
  if (!d.background.empty() && d.background.size() != 3)
    fail(ErrorKind::Config,
         "[recipe] data.background has {} entries; give red, green and blue, or leave it empty",
         d.background.size());
  const bool has_range =
      d.value_range.size() == 2 && image::is_valid({d.value_range[0], d.value_range[1]});
  if (!d.value_range.empty() && !has_range)
    fail(ErrorKind::Config,
         "[recipe] data.value_range = [{}] must be the values of black and white, the low one "
         "first, such as [0, 4095], or empty",
         fmt::join(d.value_range, ", "));
  std::size_t weighted = 0;
  for (const DataSource& source : d.sources) {
    if (source.path.empty()) fail(ErrorKind::Config, "[recipe] a path of data.sources is empty");
    if (!is_utf8(source.path))
      fail(ErrorKind::Config, "[recipe] a path of data.sources is not UTF-8; rename it");
    weighted += source.weight > 0;
  }
  if (weighted != 0 && weighted != d.sources.size())
    fail(ErrorKind::Config,
         "[recipe] {} of {} data.sources have a weight; give all of them one, or none", weighted,
         d.sources.size());
  if (weighted != 0 && d.limit > 0)
    fail(ErrorKind::Config,
         "[recipe] data.limit = {} cannot keep the weights of data.sources; use data.epoch_images",
         d.limit);
}

void check_knn(const Recipe& r) {
  if (r.knn.train.empty() && !r.knn.test.empty())
    fail(ErrorKind::Config,
         "[recipe] knn.test = {} needs labeled images to compare with; set knn.train", r.knn.test);
  if (r.knn.resize > 0 && r.knn.fit != "center_crop")
    fail(ErrorKind::Config,
         "[recipe] knn.resize = {} is the size before a center crop; knn.fit = {} has none",
         r.knn.resize, r.knn.fit);
  const int size = r.knn.image_size > 0 ? r.knn.image_size : r.crops.global_size;
  if (r.knn.resize > 0 && r.knn.resize < size)
    fail(ErrorKind::Config,
         "[recipe] knn.resize = {} is smaller than the {} px cut from it (knn.image_size or "
         "crops.global_size)",
         r.knn.resize, size);
}

}  // namespace

void validate(const Recipe& recipe) {
  check_fields("", recipe);
  check_text("", recipe);
  visit_sections(recipe, [](const char* section, const auto& options) {
    check_fields(section, options);
    check_text(section, options);
  });
  check_data(recipe);
  data::validate(recipe.crops, recipe.data.channels);
  data::validate(recipe.mixes, recipe.crops);
  data::validate(recipe.masks);
  check_backbone(recipe);
  check_training(recipe);
  check_knn(recipe);
}

}  // namespace dino::recipe
