// The float types that weights are stored in, to fp32 and back.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "dino/format/tensor_record.h"

namespace dino::format {

/** F32, F16, BF16 or F64: what weights are computed from. */
bool is_float(DType dtype);

/** Elements of a tensor for which is_float(). Throws Error{Format} on other types. */
std::vector<float> to_floats(const TensorRecord& tensor);

/** Bits of the nearest fp16 numbers, ties to even; infinity beyond 65,504. */
std::vector<std::uint16_t> to_halves(std::span<const float> values);

/** Index of the first element that is no finite fp32 number: NaN, infinite, or an F64 beyond fp32's
 * range. Nothing for types without such values. Runs at the speed of memory. */
std::optional<std::int64_t> first_not_finite(const TensorRecord& tensor);

}  // namespace dino::format
