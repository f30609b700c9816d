// The second half of `dino train FOLDER`: a choice, measured on this machine.
#pragma once
#include <array>
#include <string>

#include "cli/folder_recipe.h"

namespace dino::cli {

/** Times some steps of the chosen network, in both precisions where bf16 may be faster, and the
 * loading of the images; chooses again if the machine is much faster or slower than was estimated;
 * fits the epochs to what is left of the time. Takes seconds. Returns the five lines that say what
 * was chosen. */
std::array<std::string, 5> measure_choice(FolderChoice& chosen);

}  // namespace dino::cli
