#include "dino/onnx/floats.h"

#include <bit>
#include <cmath>
#include <cstring>

#include "dino/base/error.h"

namespace dino::onnx {
namespace {

float from_half(std::uint16_t half) {
  const std::uint32_t sign = static_cast<std::uint32_t>(half & 0x8000u) << 16;
  const std::uint32_t exponent = (half >> 10) & 0x1Fu, fraction = half & 0x3FFu;
  if (exponent == 0) {  // zero or below the normal range: fraction * 2^-24, exact in fp32
    const float magnitude = static_cast<float>(fraction) * 0x1p-24f;
    return sign == 0 ? magnitude : -magnitude;
  }
  const std::uint32_t wide = exponent == 31 ? 255u : exponent + 112u;
  return std::bit_cast<float>(sign | (wide << 23) | (fraction << 13));
}

std::uint16_t to_half(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>((bits >> 16) & 0x8000u);
  const float magnitude = std::bit_cast<float>(bits & 0x7FFFFFFFu);
  if (std::isnan(value)) return static_cast<std::uint16_t>(sign | 0x7E00u);
  if (magnitude >= 65520.0f) return static_cast<std::uint16_t>(sign | 0x7C00u);
  if (magnitude < 0x1p-14f)  // adding 0.5 leaves multiples of 2^-24, rounded, in the low bits
    return static_cast<std::uint16_t>(
        sign | (std::bit_cast<std::uint32_t>(magnitude + 0.5f) - 0x3F000000u));
  const std::uint32_t rebased = (bits & 0x7FFFFFFFu) - (112u << 23);
  const std::uint32_t odd = (rebased >> 13) & 1u;
  return static_cast<std::uint16_t>(sign | ((rebased + 0xFFFu + odd) >> 13));
}

template <typename Stored, typename Convert>
std::vector<float> convert_all(const format::TensorRecord& tensor, Convert convert) {
  std::vector<float> values(tensor.bytes.size() / sizeof(Stored));
  for (std::size_t i = 0; i < values.size(); ++i) {
    Stored stored;
    std::memcpy(&stored, tensor.bytes.data() + i * sizeof(Stored), sizeof(Stored));
    values[i] = convert(stored);
  }
  return values;
}

}  // namespace

std::vector<float> to_floats(const format::TensorRecord& tensor) {
  switch (tensor.dtype) {
    case format::DType::F32: {
      std::vector<float> values(tensor.bytes.size() / sizeof(float));
      std::memcpy(values.data(), tensor.bytes.data(), tensor.bytes.size());
      return values;
    }
    case format::DType::F64:
      return convert_all<double>(tensor, [](double x) { return static_cast<float>(x); });
    case format::DType::F16:
      return convert_all<std::uint16_t>(tensor, from_half);
    case format::DType::BF16:
      return convert_all<std::uint16_t>(tensor, [](std::uint16_t x) {
        return std::bit_cast<float>(static_cast<std::uint32_t>(x) << 16);
      });
    default:
      fail(ErrorKind::Format, "[onnx] {} is stored as {}; weights are F32, F16, BF16 or F64",
           tensor.name, format::dtype_name(tensor.dtype));
  }
}

std::vector<std::uint16_t> to_halves(std::span<const float> values) {
  std::vector<std::uint16_t> halves;
  halves.reserve(values.size());
  for (const float value : values) halves.push_back(to_half(value));
  return halves;
}

}  // namespace dino::onnx
