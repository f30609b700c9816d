// The sections and keys of a recipe and what each key may hold: the only list of them.
#pragma once
#include "dino/base/option_fields.h"
#include "dino/data/crops/crop_mix_fields.h"
#include "dino/data/crops/mask_fields.h"
#include "dino/data/crops/multi_crop_fields.h"
#include "dino/recipe/recipe.h"

namespace dino::recipe {

template <OptionsOf<Data> Options, typename Field>
void visit_fields(Options& o, Field&& field) {
  field("train", o.train, Anything{});
  field("sources", o.sources, Anything{});
  field("inputs", o.inputs, Anything{});
  field("epoch_images", o.epoch_images, at_least(0));
  field("shuffle_buffer", o.shuffle_buffer, between(1, 1e6));
  field("channels", o.channels, between(1, 1024));
  field("full_range", o.full_range, Anything{});
  field("value_range", o.value_range, Anything{});
  field("background", o.background, between(0, 255));
  field("upright", o.upright, Anything{});
  field("shrink_jpeg", o.shrink_jpeg, Anything{});
  field("max_pixels", o.max_pixels, between(1, 1e12));
  field("batch_type", o.batch_type, OneOfWords{{"fp32", "bf16", "uint8"}});
  field("workers", o.workers, between(0, 256));
  field("max_bad_share", o.max_bad_share, between(0, 1));
  field("limit", o.limit, at_least(0));
}

template <OptionsOf<Backbone> Options, typename Field>
void visit_fields(Options& o, Field&& field) {
  field("arch", o.arch, Anything{});  // architecture_of() knows the names
  field("patch_size", o.patch_size, between(0, 256));
  field("dim", o.dim, between(0, 16384));
  field("depth", o.depth, between(0, 256));
  field("heads", o.heads, between(0, 256));
  field("ffn", o.ffn, OneOfWords{{"arch", "mlp", "swiglu"}});
  field("mlp_ratio", o.mlp_ratio, between(0, 64));
  field("registers", o.registers, between(-1, 64));
  field("layer_scale", o.layer_scale, above(0, 10));
  field("drop_path", o.drop_path, below(0, 1));
  field("drop_path_rule", o.drop_path_rule, OneOfWords{{"linear", "subset"}});
  field("rope_shift", o.rope_shift, between(0, 10));
  field("rope_jitter", o.rope_jitter, between(0, 100));
  field("rope_rescale", o.rope_rescale, between(0, 100));
}

template <OptionsOf<Start> Options, typename Field>
void visit_fields(Options& o, Field&& field) {
  field("from", o.from, Anything{});
  field("frozen_steps", o.frozen_steps, at_least(0));
  field("ramp_steps", o.ramp_steps, at_least(0));
  field("trained_blocks", o.trained_blocks, between(0, 256));
  field("frozen_tokens", o.frozen_tokens, Anything{});
}

template <OptionsOf<Head> Options, typename Field>
void visit_fields(Options& o, Field&& field) {
  field("prototypes", o.prototypes, between(2, 1 << 22));
  field("layers", o.layers, between(1, 16));
  field("hidden", o.hidden, between(1, 65536));
  field("bottleneck", o.bottleneck, between(1, 65536));
  field("norm_last_layer", o.norm_last_layer, Anything{});
  field("weight_norm", o.weight_norm, Anything{});
  field("batch_norm", o.batch_norm, Anything{});
}

template <OptionsOf<Dino> Options, typename Field>
void visit_fields(Options& o, Field&& field) {
  field("weight", o.weight, at_least(0));
  field("student_temperature", o.student_temperature, above(0, 10));
  field("teacher_temperature", o.teacher_temperature, above(0, 10));
  field("warmup_teacher_temperature", o.warmup_teacher_temperature, above(0, 10));
  field("warmup_teacher_temperature_epochs", o.warmup_teacher_temperature_epochs, at_least(0));
  field("temperature_each", o.temperature_each, OneOfWords{{"epoch", "iteration"}});
  field("centering", o.centering, OneOfWords{{"mean", "sinkhorn_knopp"}});
  field("center_momentum", o.center_momentum, below(0, 1));
  field("local_weight", o.local_weight, at_least(0));
  field("local_weight_end", o.local_weight_end, at_least(0));
  field("local_weight_start_epochs", o.local_weight_start_epochs, at_least(0));
  field("local_weight_ramp_epochs", o.local_weight_ramp_epochs, at_least(0));
}

template <OptionsOf<Ibot> Options, typename Field>
void visit_fields(Options& o, Field&& field) {
  field("weight", o.weight, at_least(0));
  field("tied", o.tied, Anything{});
  field("prototypes", o.prototypes, between(0, 1 << 22));
  field("hidden", o.hidden, between(0, 65536));
  field("bottleneck", o.bottleneck, between(0, 65536));
}

template <OptionsOf<Spread> Options, typename Field>
void visit_fields(Options& o, Field&& field) {
  field("weight", o.weight, at_least(0));
  field("by", o.by, OneOfWords{{"koleo", "sigreg", "coding_rate", "none"}});
  field("group", o.group, between(0, 1 << 20));
}

template <OptionsOf<Gram> Options, typename Field>
void visit_fields(Options& o, Field&& field) {
  field("weight", o.weight, at_least(0));
  field("start_epochs", o.start_epochs, at_least(0));
  field("ramp_epochs", o.ramp_epochs, at_least(0));
  field("from", o.from, Anything{});
  field("copy_epochs", o.copy_epochs, at_least(0));
  field("first_update_epochs", o.first_update_epochs, at_least(0));
  field("update_epochs", o.update_epochs, at_least(0));
  field("max_updates", o.max_updates, between(0, 1e9));
  field("tokens", o.tokens, OneOfWords{{"all", "masked", "unmasked"}});
  field("per_image", o.per_image, Anything{});
  field("normalize", o.normalize, Anything{});
  field("negatives", o.negatives, OneOfWords{{"keep", "remove", "remove_teacher"}});
}

template <OptionsOf<Optim> Options, typename Field>
void visit_fields(Options& o, Field&& field) {
  field("optimizer", o.optimizer, OneOfWords{{"adamw", "sgd", "lars"}});
  field("lr", o.lr, above(0, 100));
  field("lr_reference_batch", o.lr_reference_batch, between(0, 1 << 20));
  field("lr_rule", o.lr_rule, OneOfWords{{"linear", "sqrt"}});
  field("lr_curve", o.lr_curve, OneOfWords{{"cosine", "constant", "ramp"}});
  field("min_lr", o.min_lr, between(0, 100));
  field("warmup_epochs", o.warmup_epochs, at_least(0));
  field("weight_decay", o.weight_decay, between(0, 100));
  field("weight_decay_end", o.weight_decay_end, between(0, 100));
  field("ema_momentum", o.ema_momentum, between(0, 1));
  field("ema_momentum_end", o.ema_momentum_end, between(0, 1));
  field("layer_decay", o.layer_decay, above(0, 1));
  field("patch_embed_lr", o.patch_embed_lr, at_least(0));
  field("clip_grad", o.clip_grad, at_least(0));
  field("clip_by", o.clip_by, OneOfWords{{"tensor", "part"}});
  field("freeze_last_layer_epochs", o.freeze_last_layer_epochs, at_least(0));
  field("freeze_by", o.freeze_by, OneOfWords{{"gradient", "rate"}});
  field("betas", o.betas, below(0, 1));
  field("eps", o.eps, above(0, 1));
}

template <OptionsOf<Train> Options, typename Field>
void visit_fields(Options& o, Field&& field) {
  field("epochs", o.epochs, above(0, 1e6));
  field("batch_size", o.batch_size, between(1, 1 << 20));
  field("accumulate", o.accumulate, between(1, 1 << 20));
  field("precision", o.precision, OneOfWords{{"auto", "fp32", "bf16"}});
  field("save_minutes", o.save_minutes, above(0));
  field("keep_last", o.keep_last, between(1, 1000));
  field("max_minutes", o.max_minutes, at_least(0));
  field("rescue", o.rescue, Anything{});
  field("log_every", o.log_every, between(1, 1e6));
}

template <OptionsOf<Knn> Options, typename Field>
void visit_fields(Options& o, Field&& field) {
  field("train", o.train, Anything{});
  field("test", o.test, Anything{});
  field("k", o.k, between(1, 10000));
  field("temperature", o.temperature, above(0, 10));
  field("center", o.center, Anything{});
  field("every_epochs", o.every_epochs, between(1, 1e6));
  field("slice", o.slice, at_least(1));
  field("gallery", o.gallery, at_least(0));
  field("shift_px", o.shift_px, between(0, 4096));
  field("image_size", o.image_size, between(0, 4096));
  field("resize", o.resize, between(0, 8192));
  field("fit", o.fit, OneOfWords{{"center_crop", "stretch", "pad"}});
  field("filter", o.filter, OneOfWords{{"bicubic", "bilinear"}});
}

/** Keys outside any section. The seed must fit TOML's 64-bit signed integers. */
template <OptionsOf<Recipe> Options, typename Field>
void visit_fields(Options& o, Field&& field) {
  field("name", o.name, Anything{});
  field("description", o.description, Anything{});
  field("seed", o.seed, between(0, 9.2e18));
  field("objectives", o.objectives, OneOfWords{objective_names()});
}

/** Calls section(name, options) for each [section], in the order of the file. */
template <OptionsOf<Recipe> Options, typename Section>
void visit_sections(Options& o, Section&& section) {
  section("data", o.data);
  section("crops", o.crops);
  section("mixes", o.mixes);
  section("masks", o.masks);
  section("backbone", o.backbone);
  section("start", o.start);
  section("head", o.head);
  section("dino", o.dino);
  section("ibot", o.ibot);
  section("spread", o.spread);
  section("gram", o.gram);
  section("optim", o.optim);
  section("train", o.train);
  section("knn", o.knn);
}

}  // namespace dino::recipe
