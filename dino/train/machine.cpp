#include "dino/train/machine.h"

#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <torch/version.h>

#include <nlohmann/json.hpp>

#include "dino/run/machine.h"

namespace dino::train {

nlohmann::json describe_machine() {
  nlohmann::json machine = run::describe_machine();
  machine.update({{"libtorch_version", TORCH_VERSION},
                  {"instruction_set", at::get_cpu_capability()},
                  {"threads", at::get_num_threads()}});
  return machine;
}

}  // namespace dino::train
