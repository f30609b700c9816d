// The published backbones of DINO, DINOv2 and DINOv3 by name.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dino/arch/architecture.h"

namespace dino::arch {

struct ZooEntry {
  std::string name;  ///< name in the reference's torch hub: "dinov2_vitl14_reg"
  Network network;
  double parameters_m = 0;  ///< millions, as published; 0 if not published
  std::string file_stem;    ///< how the released file's name begins: "dinov2_vitl14_reg4_pretrain"
};

/** All entries: DINO, DINOv2, DINOv3, each from small to large. Thread-safe, as all functions here.
 */
const std::vector<ZooEntry>& zoo();

/** The entry of that name, or nullptr. */
const ZooEntry* find_in_zoo(std::string_view name);
/** The entry of that name; throws Error{Config} with the nearest known name. */
const ZooEntry& zoo_entry(std::string_view name);

}  // namespace dino::arch
