// Converts between the records of dino/format and Torch tensors.
#pragma once
#include <torch/types.h>

#include <span>
#include <string>
#include <vector>

#include "dino/format/tensor_record.h"

namespace dino::model {

torch::Dtype to_torch(format::DType dtype);
/** Throws Error{Usage} for types that files cannot store. */
format::DType to_format(torch::Dtype dtype);

/** A tensor that shares the record's bytes and keeps their owner alive; it must not be written to.
 * Copies the bytes if they are not aligned for their type. */
torch::Tensor borrow(const format::TensorRecord& record);

/** The tensor's values as a record that keeps them alive: those of a contiguous CPU tensor without
 * a copy, of others a copy in host memory. */
format::TensorRecord to_record(std::string name, const torch::Tensor& tensor);

/** One piece of the state of a run, which is saved, and restored in place. */
struct NamedTensor {
  std::string name;
  torch::Tensor tensor;
};

std::vector<format::TensorRecord> to_records(std::span<const NamedTensor> state);
/** Copies the records into the tensors of the same names. Throws Error{Config}, before anything is
 * changed, that lists names which are missing or unexpected and types and shapes that differ. */
void restore(std::span<const NamedTensor> state, std::span<const format::TensorRecord> records);

}  // namespace dino::model
