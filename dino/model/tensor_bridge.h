// Named arrays of the format layer as Torch tensors, and back.
#pragma once
#include <torch/types.h>

#include <string>

#include "dino/format/tensor_record.h"

namespace dino::model {

torch::Dtype to_torch(format::DType dtype);
/** Throws Error{Usage} for types that files do not hold. */
format::DType to_format(torch::Dtype dtype);

/** The record's bytes as a tensor that keeps their owner alive; not to be written to. Copied if
 * they are not aligned for their type. */
torch::Tensor borrow(const format::TensorRecord& record);

/** Borrows a contiguous CPU tensor, which the caller keeps alive. */
format::TensorRecord to_record(std::string name, const torch::Tensor& tensor);

}  // namespace dino::model
