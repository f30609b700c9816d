// A choice as people read it: five lines, and a recipe with comments.
#pragma once
#include <array>
#include <string>

#include "dino/recipe/choose.h"
#include "dino/recipe/fit_to_time.h"

namespace dino::recipe {

/** What the choice of epochs rests on. */
struct Pace {
  double minutes = 30;  ///< as asked for
  Speed speed;
  TimePlan plan;
  std::string source;  ///< of the speed: "measured, bf16" or "estimated from the processor"
};

/** What was chosen and why: images, crops, network, training, time. */
std::array<std::string, 5> describe_choice(const ImageFacts& facts, const Recipe& recipe,
                                           const Pace& pace);

/** The recipe as TOML with reasons, below `lines` as its head. */
std::string commented_toml(const Choice& choice, const std::array<std::string, 5>& lines);

}  // namespace dino::recipe
