// Tells which of the three papers' code a backbone belongs to, which decides names, files and
// defaults.
#pragma once
#include "dino/arch/architecture.h"

namespace dino::weights {

enum class Generation { Dino = 1, DinoV2, DinoV3 };

/** DINOv3 has RoPE or ConvNeXt, DINOv2 layer scale or registers; everything else is DINO. */
inline Generation generation_of(const arch::Architecture& a) {
  if (a.family == arch::Family::ConvNext) return Generation::DinoV3;
  if (a.family != arch::Family::Vit) return Generation::Dino;
  if (a.vit.positions == arch::Positions::Rope) return Generation::DinoV3;
  return a.vit.layer_scale || a.vit.registers > 0 ? Generation::DinoV2 : Generation::Dino;
}

}  // namespace dino::weights
