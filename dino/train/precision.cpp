#include "dino/train/precision.h"

#include "dino/base/error.h"
#include "dino/cpu/bf16_rule.h"

namespace dino::train {

model::Precision resolve_precision(const std::string& name) {
  if (name == "fp32") return model::Precision::Fp32;
  if (name == "bf16") return model::Precision::Bf16;
  if (name == "auto")
    return cpu::bf16_pays_in_training(cpu::Processor::here()) ? model::Precision::Bf16
                                                              : model::Precision::Fp32;
  fail(ErrorKind::Config, "[train] unknown train.precision: '{}'; use fp32, bf16 or auto", name);
}

}  // namespace dino::train
