// The keys of MultiCropOptions ([crops] in a recipe) and their allowed values.
#pragma once
#include "dino/base/option_fields.h"
#include "dino/data/crops/multi_crop.h"

namespace dino::data {

template <OptionsOf<MultiCropOptions> Options, typename Field>
void visit_fields(Options& o, Field&& field) {
  field("global_size", o.global_size, between(1, 4096));
  field("global_scale", o.global_scale, above(0, 1));
  field("local_size", o.local_size, between(1, 4096));
  field("local_count", o.local_count, between(0, 64));
  field("local_scale", o.local_scale, above(0, 1));
  field("horizontal_flip", o.horizontal_flip, probability());
  field("jitter", o.jitter, probability());
  field("brightness", o.brightness, between(0, 10));
  field("contrast", o.contrast, between(0, 10));
  field("saturation", o.saturation, between(0, 10));
  field("hue", o.hue, between(0, 0.5));
  field("grayscale", o.grayscale, probability());
  field("blur", o.blur, probability());
  field("blur_radius", o.blur_radius, between(0, 100));
  field("blur_kernel", o.blur_kernel, between(0, 99));
  field("solarize", o.solarize, probability());
  field("shared_jitter", o.shared_jitter, Anything{});
  field("local_window_step", o.local_window_step, between(0, 4096));
  field("clean_teacher", o.clean_teacher, Anything{});
  field("gram_size", o.gram_size, between(0, 4096));
  field("gram_distorted", o.gram_distorted, Anything{});
  field("pad", o.pad, between(0, 4096));
  field("mean", o.mean, between(-1e6, 1e6));
  field("std", o.std, above(0, 1e6));
}

}  // namespace dino::data
