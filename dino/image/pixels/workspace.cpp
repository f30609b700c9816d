#include "dino/image/pixels/workspace.h"

namespace dino::image {

void Room::grow(std::size_t bytes) {
  bytes_ = {};  // before the new memory is asked for
  bytes_ = AlignedBytes(bytes);
}

}  // namespace dino::image
