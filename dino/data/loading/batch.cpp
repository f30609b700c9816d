#include "dino/data/loading/batch.h"

namespace dino::data {

void AlignedBuffer::resize(std::size_t count, SampleType type) {
  if (bytes_.data() == nullptr || count * bytes_of(type) > bytes_.size())
    bytes_ = AlignedBytes(count * bytes_of(type));
  count_ = count;
  type_ = type;
}

}  // namespace dino::data
