// A golden safetensors file as named float32 tensors, for tests.
#pragma once
#include <torch/types.h>

#include <stdexcept>
#include <string>

#include "dino/format/safetensors.h"

namespace dino::golden {

class GoldenFile {
 public:
  /** `path` is relative to tests/golden. */
  explicit GoldenFile(const std::string& path)
      : file_(std::string(DINO_SOURCE_DIR "/tests/golden/") + path) {}

  /** A copy of the tensor; throws if there is none of that name. */
  torch::Tensor operator[](const std::string& name) const {
    const format::TensorRecord* record = file_.find(name);
    if (record == nullptr || record->dtype != format::DType::F32)
      throw std::out_of_range("no float32 golden " + name);
    // from_blob wants a mutable pointer; the clone is what leaves this function.
    return torch::from_blob(const_cast<std::byte*>(record->bytes.data()), record->shape,
                            torch::kFloat32)
        .clone();
  }

 private:
  format::SafetensorsFile file_;
};

}  // namespace dino::golden
