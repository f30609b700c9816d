// Chooses a recipe for a set of images, a machine and the time a person gives. Pure functions: the
// facts come from image_facts.h, speeds from a measurement or from an estimate.
#pragma once
#include <cstdint>

#include "dino/recipe/image_facts.h"
#include "dino/recipe/recipe.h"

namespace dino::recipe {

/** What a run can count on. */
struct Budget {
  double minutes = 30;  ///< for everything: from the first look at the images to the report
  int threads = 1;
  double gflops = 50;  ///< what training reaches on all threads, 10^9 operations a second
};

struct Choice {
  Recipe recipe;  ///< valid; of one epoch until fit_to_time() is called
  Comments reasons;
};

/** The choice grows with the time: more minutes never give a smaller network. */
Choice choose_recipe(const ImageFacts& facts, const Budget& budget);

/** 10^9 operations that one image costs in a training step of this recipe, of a ViT. */
double step_gflop(const Recipe& recipe);

}  // namespace dino::recipe
