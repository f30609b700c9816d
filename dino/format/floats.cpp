#include "dino/format/floats.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "dino/base/bfloat16.h"
#include "dino/base/error.h"
#include "dino/base/half.h"

namespace dino::format {
namespace {

template <typename Stored, typename Convert>
std::vector<float> convert_all(const TensorRecord& tensor, Convert convert) {
  std::vector<float> values(tensor.bytes.size() / sizeof(Stored));
  for (std::size_t i = 0; i < values.size(); ++i) {
    Stored stored;
    std::memcpy(&stored, tensor.bytes.data() + i * sizeof(Stored), sizeof(Stored));
    values[i] = convert(stored);
  }
  return values;
}

/** The first element whose bits under `exponent` are all set: infinity or NaN. */
template <typename Bits>
std::optional<std::int64_t> find_all_set(const TensorRecord& tensor, Bits exponent) {
  const auto load = [&](std::size_t i) {
    Bits bits;
    std::memcpy(&bits, tensor.bytes.data() + i * sizeof(Bits), sizeof(Bits));
    return bits;
  };
  constexpr std::size_t kBlock = 4096;
  const std::size_t count = tensor.bytes.size() / sizeof(Bits);
  for (std::size_t first = 0; first < count; first += kBlock) {
    const std::size_t end = std::min(count, first + kBlock);
    Bits found = 0;  // without a branch, so that the compiler vectorizes
    for (std::size_t i = first; i < end; ++i)
      found |= static_cast<Bits>((load(i) & exponent) == exponent);
    if (found == 0) continue;
    for (std::size_t i = first; i < end; ++i)
      if ((load(i) & exponent) == exponent) return static_cast<std::int64_t>(i);
  }
  return std::nullopt;
}

std::optional<std::int64_t> find_beyond_floats(const TensorRecord& tensor) {
  for (std::size_t i = 0; i < tensor.bytes.size() / sizeof(double); ++i) {
    double value = 0;
    std::memcpy(&value, tensor.bytes.data() + i * sizeof(double), sizeof(double));
    if (!std::isfinite(static_cast<float>(value))) return static_cast<std::int64_t>(i);
  }
  return std::nullopt;
}

}  // namespace

bool is_float(DType dtype) {
  return dtype == DType::F32 || dtype == DType::F16 || dtype == DType::BF16 || dtype == DType::F64;
}

std::optional<std::int64_t> first_not_finite(const TensorRecord& tensor) {
  switch (tensor.dtype) {
    case DType::F32:
      return find_all_set<std::uint32_t>(tensor, 0x7F800000U);
    case DType::F16:
      return find_all_set<std::uint16_t>(tensor, 0x7C00);
    case DType::BF16:
      return find_all_set<std::uint16_t>(tensor, 0x7F80);
    case DType::F64:
      return find_beyond_floats(tensor);
    default:
      return std::nullopt;
  }
}

std::vector<float> to_floats(const TensorRecord& tensor) {
  switch (tensor.dtype) {
    case DType::F32: {
      std::vector<float> values(tensor.bytes.size() / sizeof(float));
      std::memcpy(values.data(), tensor.bytes.data(), tensor.bytes.size());
      return values;
    }
    case DType::F64:
      return convert_all<double>(tensor, [](double x) { return static_cast<float>(x); });
    case DType::F16:
      return convert_all<std::uint16_t>(tensor, half_to_float);
    case DType::BF16:
      return convert_all<std::uint16_t>(tensor, from_bfloat16);
    default:
      fail(ErrorKind::Format, "[tensor] {} is stored as {}; weights are F32, F16, BF16 or F64",
           tensor.name, dtype_name(tensor.dtype));
  }
}

std::vector<std::uint16_t> to_halves(std::span<const float> values) {
  std::vector<std::uint16_t> halves;
  halves.reserve(values.size());
  for (const float value : values) halves.push_back(float_to_half(value));
  return halves;
}

}  // namespace dino::format
