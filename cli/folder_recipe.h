// A recipe for a folder of images: what `dino recipe FOLDER` writes, and where `dino train FOLDER`
// begins. Needs no Torch.
#pragma once
#include <array>
#include <chrono>
#include <filesystem>
#include <string>

#include "cli/context.h"
#include "cli/recipe_flags.h"
#include "dino/recipe/choice_text.h"

namespace dino::cli {

/** A folder, the time for it, and what was chosen so far. */
struct FolderChoice {
  std::chrono::steady_clock::time_point start = std::chrono::steady_clock::now();
  std::string folder;           ///< the images as the person has them
  std::filesystem::path cache;  ///< for the index of the source
  RecipeFlags flags;            ///< --set and its like, laid over every choice
  recipe::ImageFacts facts;     ///< of the images that are trained on: the folder's, or copies
  recipe::Budget budget;
  recipe::Choice choice;

  double seconds_left() const;
  /** Chooses anew for the budget as it is now. */
  void choose();
  /** Measures, on the images themselves and for about `seconds`, how long the whole machine takes
   * to load and crop one; s. Throws the loader's errors. */
  double load_seconds(double seconds) const;
  /** Fits the choice to the time at this speed, with the flags over it, and says what it is. */
  std::array<std::string, 5> fit(const recipe::Speed& speed, std::string source);
};

/** `folder` as data.train, whatever directory a later command starts in. */
std::string absolute_source(const std::string& folder);

/** Where the run of a folder lies unless --out says otherwise: runs/NAME. */
std::filesystem::path run_folder(const std::string& folder);

/** Looks at the images and chooses by an estimate of the machine's speed. `cache` keeps the index
 * of the source for the training; empty = none. Throws the errors of open_dataset(),
 * survey_images() and of the flags. */
FolderChoice choose_for(const std::string& folder, double minutes, const RecipeFlags& flags,
                        const std::filesystem::path& cache, Context& context);

}  // namespace dino::cli
