// What a run will do and when, before it is paid for: its length, what changes at which step, the
// curves at some steps, and the memory of its networks.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "dino/base/schedule.h"
#include "dino/recipe/recipe.h"

namespace dino::recipe {

/** Something that happens once. */
struct PlanEvent {
  std::int64_t step = 0;  ///< before this step
  std::string what;       ///< "the learning rate reaches its peak of 0.0005"
};

/** The values of all curves before one step, in the order of Plan::curves. */
struct PlanRow {
  std::int64_t step = 0;
  std::vector<double> values;
};

struct Plan {
  std::int64_t steps = 0, steps_per_epoch = 0;
  int images_per_step = 0, micro_batches = 1;
  std::vector<PlanEvent> events;    ///< by step
  std::vector<std::string> curves;  ///< "lr", "weight_decay", "momentum", ...
  std::vector<PlanRow> rows;        ///< the first step, the last, and some between
  std::int64_t student_parameters = 0, head_parameters = 0;  ///< of one network; heads of all
  /** Bytes of what stays in memory: networks, gradients, moments. Activations come on top. */
  std::int64_t state_bytes = 0;
};

/** The plan of a recipe over `images` images (or data.epoch_images, if that is set). Throws
 * Error{Config} if they are fewer than a batch. */
Plan plan_of(const Recipe& recipe, std::int64_t images);

/** The plan in lines for a person. */
std::string to_text(const Plan& plan, const Recipe& recipe);

}  // namespace dino::recipe
