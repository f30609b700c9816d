// Every published backbone of DINO, DINOv2 and DINOv3 by name, with its constants.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dino/arch/architecture.h"

namespace dino::arch {

struct ZooEntry {
  std::string name;  ///< as the reference's hub calls it: "dinov2_vitl14_reg"
  Network network;
  double parameters_m = 0;  ///< millions, as published; 0 where it is not
  std::string file_stem;    ///< how the release's weight file begins: "dinov2_vitl14_reg4_pretrain"
};

/** DINO, then DINOv2, then DINOv3, small to large. */
const std::vector<ZooEntry>& zoo();

/** The entry of that name, or nullptr. */
const ZooEntry* find_in_zoo(std::string_view name);
/** The same; throws Error{Config} naming the nearest known name. */
const ZooEntry& zoo_entry(std::string_view name);

}  // namespace dino::arch
