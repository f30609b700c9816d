// Converts between fp32 and the float types in which weights are stored.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "dino/format/tensor_record.h"

namespace dino::format {

/** Whether the type is F64, F32, F16 or BF16, which can be converted to fp32. */
bool is_float(DType dtype);

/** The elements as fp32, of any alignment in the record. Throws Error{Format} unless
 * is_float(tensor.dtype). */
std::vector<float> to_floats(const TensorRecord& tensor);

/** Converts to fp16 bits, rounding to nearest, ties to even; values beyond 65,504 become infinity.
 */
std::vector<std::uint16_t> to_halves(std::span<const float> values);

/** The index of the first element that is NaN, infinite or (F64) beyond fp32's range. Nothing if
 * there is none, or for types without such values. Runs at memory bandwidth. */
std::optional<std::int64_t> first_not_finite(const TensorRecord& tensor);

}  // namespace dino::format
