// A recipe: everything that defines a training run, as plain aggregates with the DINO ImageNet
// defaults, read from TOML. `extends = "other.toml"` starts from another file; unknown keys are
// errors; the resolved recipe is written into the run.
#pragma once
#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dino/arch/architecture.h"
#include "dino/base/schedule.h"
#include "dino/data/crops/crop_mix.h"
#include "dino/data/crops/ibot_mask.h"
#include "dino/data/crops/multi_crop.h"

namespace dino::recipe {

/** One part of a mixture: a string, or a table {path = ..., weight = ...}. */
struct DataSource {
  std::string path;
  double weight = 0;  ///< share of the images drawn; 0 = not given
  bool operator==(const DataSource&) const = default;
};

/** [data] */
struct Data {
  std::string train;  ///< source of training images (see data::open_dataset and ImageStream);
                      ///< relative to the working directory
  std::vector<DataSource> sources;  ///< instead of `train`: several, as [[data.sources]] tables.
                                    ///< Weights on all or none; without them each image counts the
                                    ///< same
  std::vector<std::string> inputs;  ///< the members of archives that are images ("jpg",
                                    ///< "left.png"); empty = all
  std::int64_t epoch_images = 0;    ///< images per epoch; 0 = all. Required for streams
  int shuffle_buffer =
      1000;                 ///< encoded images of a stream in memory, from which the next is drawn
  int channels = 3;         ///< 1 gray, 3 RGB, others with full_range
  bool full_range = false;  ///< keep samples finer than 8 bits and outside their range, and
                            ///< any number of bands; false: 8 bits, as the references train
  std::vector<double> value_range;  ///< stored values that are black and white, [low, high]; empty
                                    ///< = as the files or the types of their samples say
  std::vector<int> background;      ///< RGB behind transparent pixels; empty = drop the alpha
  bool upright = true;              ///< turn images as their EXIF orientation says; the reference
                                    ///< does not
  bool shrink_jpeg = false;  ///< decode large JPEG files at 1/2, 1/4 or 1/8 where no crop has
                             ///< to be enlarged; faster, but the pixels differ slightly
  std::int64_t max_pixels = 178'956'970;  ///< width x height above which an image is a bad one
  std::string batch_type = "fp32";  ///< samples of a batch in memory: fp32, bf16 or uint8 (which is
                                    ///< normalized by the training step)
  int workers = 2;                  ///< loader threads
  double max_bad_share = 0.05;      ///< stop once more than this share of images cannot be read
  std::int64_t limit = 0;           ///< use only this many images (0 = all), drawn by the seed
  bool operator==(const Data&) const = default;
};

/** [backbone] A number that is 0 (for registers: -1) stands for that of `arch`. */
struct Backbone {
  std::string arch = "vit_small";  ///< vit_tiny, vit_small, vit_base, vit_large, vit (dim, depth
                                   ///< and heads given), or a published backbone: dino_vits8,
                                   ///< dinov2_vitl14_reg, dinov3_vits16, dino_resnet50, ...
  int patch_size = 0;              ///< px
  int dim = 0;                     ///< D
  int depth = 0;                   ///< blocks
  int heads = 0;                   ///< h
  std::string ffn = "arch";        ///< mlp, swiglu, or arch: that of `arch`
  double mlp_ratio = 0;            ///< hidden width of the MLP over D; SwiGLU has two thirds of it
  int registers = -1;              ///< tokens between CLS and patches
  double layer_scale = 1e-5;       ///< initial gain of the branches, where the arch has gains
  double drop_path = 0.1;  ///< stochastic depth: share of the branches that the student drops
  std::string drop_path_rule = "linear";  ///< linear: at random, rising from 0 at the first block
                                          ///< to drop_path at the last (DINO); subset: that share
                                          ///< of the crops in every block (DINOv2, DINOv3)
  /** Augmentation of the student's rotary positions; see model::RopeAugment. 0 = none. */
  double rope_shift = 0, rope_jitter = 0, rope_rescale = 0;
  bool operator==(const Backbone&) const = default;
};

/** [start] what a run begins with, instead of random weights */
struct Start {
  std::string from;  ///< a run, whose teacher with its heads is taken, or weights, which have no
                     ///< heads; empty = random weights
  std::int64_t frozen_steps = 0;  ///< steps in which only heads learn
  std::int64_t ramp_steps = 0;  ///< after them the rate of the backbone rises linearly for so long
  int trained_blocks = 0;  ///< only so many of the last blocks ever learn, and the last norm; 0 =
                           ///< all
  bool frozen_tokens = false;  ///< CLS, mask and register tokens never learn
  bool operator==(const Start&) const = default;
};

/** [head] the DINO projection head */
struct Head {
  int prototypes = 65536;       ///< K
  int layers = 3;               ///< linear layers of the MLP
  int hidden = 2048;            ///< width between them
  int bottleneck = 256;         ///< width that is L2-normalized
  bool norm_last_layer = true;  ///< keep the weight-norm gain of the last layer at 1
  bool weight_norm = true;      ///< of the last layer; false: a plain matrix (DINOv3)
  bool batch_norm = false;      ///< batch norm after each hidden linear
  bool operator==(const Head&) const = default;
};

/** [dino] the DINO objective */
struct Dino {
  double weight = 1.0;  ///< in the total loss
  double student_temperature = 0.1;
  double teacher_temperature = 0.04;  ///< after warm-up
  double warmup_teacher_temperature = 0.04;
  double warmup_teacher_temperature_epochs = 0;
  std::string temperature_each = "epoch";  ///< when it changes: each epoch (DINO) or iteration
  std::string centering = "mean";  ///< of the teacher: mean (a running mean is subtracted) or
                                   ///< sinkhorn_knopp (DINOv2: each batch uses all prototypes)
  double center_momentum = 0.9;    ///< of the running mean
  double local_weight = 1.0;       ///< of the terms of local crops
  double local_weight_end = 1.0;   ///< what it becomes, along half a cosine (DINOv3: 0.5)
  double local_weight_start_epochs = 0, local_weight_ramp_epochs = 0;  ///< when, and how long
  bool operator==(const Dino&) const = default;
};

/** [ibot] masked patches; its temperatures and centering are those of [dino]. Needs masks.share. */
struct Ibot {
  double weight = 1.0;  ///< in the total loss
  bool tied = true;  ///< one head for CLS and patches (DINOv2's short recipe); false: its own, of
                     ///< which numbers that are 0 are those of [head]
  int prototypes = 0, hidden = 0, bottleneck = 0;
  bool operator==(const Ibot&) const = default;
};

/** [spread] what spreads the CLS features of a batch; a companion of [dino] */
struct Spread {
  double weight = 0.1;  ///< in the total loss, of the sum over both global crops
  std::string by =
      "koleo";    ///< koleo (DINOv2, DINOv3), sigreg (LeJEPA), coding_rate (SimDINO), none
  int group = 0;  ///< images among which koleo looks for neighbors; 0 = the micro-batch
  bool operator==(const Spread&) const = default;
};

/** [gram] Gram anchoring: similarities between patches, held to those of a Gram teacher */
struct Gram {
  double weight = 2.0;        ///< in the total loss
  double start_epochs = 0;    ///< before that its weight is 0, and it costs nothing
  double ramp_epochs = 0;     ///< half a cosine from 0 to its weight
  std::string from = "copy";  ///< the Gram teacher: ema, the teacher as it is; copy, of the teacher
                              ///< at copy_epochs; or a file of weights or a run
  double copy_epochs = 0;     ///< when the copy is taken
  double first_update_epochs = 0;  ///< the copy is renewed at the multiples of update_epochs from
                                   ///< then on
  double update_epochs = 0;        ///< 0 = never
  int max_updates = 0;             ///< 0 = as many as there are
  std::string tokens = "all";      ///< patches compared: all, masked, unmasked
  bool per_image = true;           ///< within each crop; false: over all crops of a batch
  bool normalize = true;           ///< cosines instead of products
  std::string negatives = "keep";  ///< negative similarities: keep, remove, or remove_teacher
  bool operator==(const Gram&) const = default;
};

/** [optim] */
struct Optim {
  std::string optimizer = "adamw";  ///< adamw, sgd, lars
  double lr = 5e-4;                 ///< base rate at lr_reference_batch images
  int lr_reference_batch = 256;     ///< batch that lr is for; 0 = use lr as it is for any
  std::string lr_rule = "linear";   ///< of another batch: linear, lr * batch / reference (DINO), or
                                    ///< sqrt, lr * sqrt(batch / reference) (DINOv2, DINOv3)
  std::string lr_curve = "cosine";  ///< after the warm-up: cosine, down to min_lr; constant
                                    ///< (DINOv3); or ramp: the warm-up is half a cosine, then
                                    ///< constant (DINOv3's high resolutions, distillation)
  double min_lr = 1e-6;             ///< final rate; not scaled with the batch
  double warmup_epochs = 10;
  double weight_decay = 0.04, weight_decay_end = 0.4;
  double ema_momentum = 0.996, ema_momentum_end = 1.0;
  double layer_decay = 1.0;        ///< factor of the rate from each block to the one before (0.9)
  double patch_embed_lr = 1.0;     ///< factor of the rate of the patch embedding (DINOv2: 0.2)
  double clip_grad = 3.0;          ///< largest norm of a gradient; 0 = off
  std::string clip_by = "tensor";  ///< what is clipped by itself: tensor (DINO), or part, the
                                   ///< backbone and each head (DINOv2, DINOv3)
  double freeze_last_layer_epochs = 1;
  std::string freeze_by = "gradient";  ///< a frozen last layer has no gradient (DINO), or has only
                                       ///< a rate of 0, and moments (DINOv2, DINOv3)
  std::array<double, 2> betas = {0.9, 0.999};
  double eps = 1e-8;
  bool operator==(const Optim&) const = default;
};

/** [train] */
struct Train {
  double epochs = 100;
  int batch_size = 64;             ///< images per optimizer step
  int accumulate = 1;              ///< micro-batches a step is split into
  std::string precision = "auto";  ///< fp32, bf16, auto
  double save_minutes = 10;  ///< between checkpoints; one is also written at the end and on Ctrl-C
  int keep_last = 3;         ///< checkpoints kept besides the best
  double max_minutes =
      0;               ///< stop cleanly after this long (0 = never); schedules are not shortened
  int log_every = 10;  ///< iterations between lines of metrics.jsonl
  bool rescue = true;  ///< after a collapse go back to where all was well, once, with what the
                       ///< alarm changes; false: only raise the alarm
  bool operator==(const Train&) const = default;
};

/** [knn] the in-training and final k-NN evaluation; off when `train` is empty */
struct Knn {
  std::string train;  ///< labeled gallery; empty = off
  std::string test;   ///< labeled queries of the final figure; empty = only the held-out slice
  int k = 20;
  double temperature = 0.07;
  bool center = false;        ///< subtract the gallery's mean feature before normalizing
  int every_epochs = 1;       ///< epochs between the figures in training, which use a slice of the
                              ///< gallery that the seed holds out
  std::int64_t slice = 2000;  ///< queries held out from `train` for the in-training figure
  std::int64_t gallery = 20000;  ///< gallery images of the in-training figure (0 = all)
  int shift_px =
      0;  ///< also report: queries shifted at random by up to this and mirrored at random
  int image_size = 0;  ///< px fed to the backbone; 0 = crops.global_size
  int resize = 0;      ///< short side before the center crop; 0 = no resize when sizes match, else
                       ///< image_size * 256 / 224
  std::string fit = "center_crop";  ///< how an image becomes a square: data::kFitWords
  std::string filter = "bicubic";   ///< of the resize: bicubic, bilinear
  bool operator==(const Knn&) const = default;
};

struct Recipe {
  std::string name = "dino";
  std::string description;
  std::uint64_t seed = 0;
  std::vector<std::string> objectives = {"dino"};
  recipe::Data data;
  data::MultiCropOptions crops;
  data::MixOptions mixes;
  data::MaskOptions masks;
  recipe::Backbone backbone;
  recipe::Start start;
  recipe::Head head;
  recipe::Dino dino;
  recipe::Ibot ibot;
  recipe::Spread spread;
  recipe::Gram gram;
  recipe::Optim optim;
  recipe::Train train;
  recipe::Knn knn;
  bool operator==(const Recipe&) const = default;
};

/** Reads a recipe, a file or a built-in one ("fashion_mnist", see built_in.h), and applies
 * `overrides` ("optim.lr=2e-3", TOML values). Throws Error{Config} naming file, key, value and, for
 * an unknown key or recipe, the nearest known one; Error{Io} if a file cannot be read. Validates
 * ranges and contradictions. */
Recipe load_recipe(const std::filesystem::path& name, std::span<const std::string> overrides = {});
/** The same from text; `extends` names a file relative to `folder` or a built-in recipe. */
Recipe parse_recipe(std::string_view toml, std::string_view origin,
                    const std::filesystem::path& folder,
                    std::span<const std::string> overrides = {});
/** Sentences on keys: "optim.lr" -> why it is as it is. Without line breaks. */
using Comments = std::map<std::string, std::string, std::less<>>;
/** Complete TOML: every key with its value, and its comment if it has one; parse_recipe(to_toml(r))
 * == r. */
std::string to_toml(const Recipe& recipe, const Comments& comments = {});
/** Throws Error{Config} on a value out of range. Called by the loaders. */
void validate(const Recipe& recipe);

/** The objectives that a recipe can name: the sections that have a `weight`. */
std::vector<std::string_view> objective_names();
bool has_objective(const Recipe& recipe, std::string_view objective);
/** The `weight` of the section of that name over a run. Throws Error{Config} if there is none. */
Curve objective_weight(const Recipe& recipe, std::string_view objective, const RunLength& length);

/** The head that [ibot] asks for: that of [head] where it is tied. */
Head ibot_head(const Recipe& recipe);

/** The network [backbone] asks for; a learned position table is made for the global crops. Throws
 * Error{Config} naming the key, as validate() does. */
arch::Architecture architecture_of(const Recipe& recipe);
/** px of its patch. */
int patch_size(const Recipe& recipe);

}  // namespace dino::recipe
