#include "cli/out_of_memory.h"

#include <fmt/format.h>

namespace dino::cli {

std::string out_of_memory_text(std::string_view detail) {
  return fmt::format(
      "[memory] out of memory{}{}{}; what helps: a smaller batch (--batch; in training a smaller "
      "train.batch_size or a larger train.accumulate), smaller images (--image-size, "
      "crops.global_size), fewer --threads or data.workers",
      detail.empty() ? "" : " (", detail, detail.empty() ? "" : ")");
}

}  // namespace dino::cli
