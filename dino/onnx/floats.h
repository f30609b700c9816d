// The float types that weights are stored in, to fp32 and back.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "dino/format/tensor_record.h"

namespace dino::onnx {

/** Elements of an F32, F16, BF16 or F64 tensor. Throws Error{Format} on other types. */
std::vector<float> to_floats(const format::TensorRecord& tensor);

/** Bits of the nearest fp16 numbers, ties to even; infinity beyond 65,504. */
std::vector<std::uint16_t> to_halves(std::span<const float> values);

}  // namespace dino::onnx
