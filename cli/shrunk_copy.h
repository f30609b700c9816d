// Images that are much larger than their crops, shrunk once before they are read in every epoch.
#pragma once
#include <filesystem>

#include "cli/folder_recipe.h"

namespace dino::cli {

/** Writes the images of the choice into shards below `folder`, or finds those of an earlier call,
 * if there are few enough and their files are large enough for it to pay; then looks at the copies
 * and chooses for them. Returns whether it did. Throws Error{Io} if they cannot be written. */
bool shrink_once(FolderChoice& chosen, const std::filesystem::path& folder, Context& context);

}  // namespace dino::cli
