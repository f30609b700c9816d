// The names of dino/tensor/cpu_rows.h in the losses' own namespace.
#pragma once
#include "dino/tensor/cpu_rows.h"

namespace dino::loss {

using tensor::cpu_type;
using tensor::row_of;

}  // namespace dino::loss
