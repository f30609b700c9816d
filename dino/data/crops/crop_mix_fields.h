// The keys of MixOptions ([mixes] in a recipe) and their allowed values.
#pragma once
#include "dino/base/option_fields.h"
#include "dino/data/crops/crop_mix.h"

namespace dino::data {

template <OptionsOf<MixOptions> Options, typename Field>
void visit_fields(Options& o, Field&& field) {
  field("probability", o.probability, probability());
  field("global_size", o.global_size, between(1, 4096));
  field("local_size", o.local_size, between(1, 4096));
  field("gram_size", o.gram_size, between(0, 4096));
}

}  // namespace dino::data
