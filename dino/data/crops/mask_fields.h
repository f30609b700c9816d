// The keys of MaskOptions ([masks] in a recipe) and their allowed values.
#pragma once
#include "dino/base/option_fields.h"
#include "dino/data/crops/ibot_mask.h"

namespace dino::data {

template <OptionsOf<MaskOptions> Options, typename Field>
void visit_fields(Options& o, Field&& field) {
  field("share", o.share, probability());
  field("ratio", o.ratio, probability());
  field("exact", o.exact, Anything{});
  field("circular_shift", o.circular_shift, Anything{});
}

}  // namespace dino::data
