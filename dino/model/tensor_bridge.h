// Converts between the records of dino/format and Torch tensors.
#pragma once
#include <torch/types.h>

#include <string>

#include "dino/format/tensor_record.h"

namespace dino::model {

torch::Dtype to_torch(format::DType dtype);
/** Throws Error{Usage} for types that files cannot store. */
format::DType to_format(torch::Dtype dtype);

/** A tensor that shares the record's bytes and keeps their owner alive; it must not be written to.
 * Copies the bytes if they are not aligned for their type. */
torch::Tensor borrow(const format::TensorRecord& record);

/** A record that borrows the memory of a contiguous CPU tensor, which the caller keeps alive. */
format::TensorRecord to_record(std::string name, const torch::Tensor& tensor);

}  // namespace dino::model
