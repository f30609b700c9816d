// Begins a run with what another network has learned: a run of one's own, or any published weights.
#pragma once
#include "dino/base/log.h"
#include "dino/recipe/recipe.h"
#include "dino/train/ssl_model.h"

namespace dino::train {

/** Fills student and teacher of a new run with what [start] names. From a run both take its
 * teacher, with the heads that this recipe has too; from weights the backbone alone. A position
 * table is resampled to this recipe's crops; a stem for other channels becomes the mean of its
 * filters, as often as there are channels, times the old over the new number of channels, so that
 * gray images give what they gave. Says what was taken and what stays random. Throws Error{Config}
 * if the file holds another network than [backbone], naming both; and if the features of the filled
 * backbone differ from those that inference gives for the same file. `precision` is that of the
 * run. */
void start_from(const recipe::Recipe& recipe, model::Precision precision, SslModel& model,
                const LogSink& log);

}  // namespace dino::train
