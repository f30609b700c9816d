#include "dino/onnx/floats.h"

#include <bit>
#include <cstring>

#include "dino/base/error.h"
#include "dino/base/half.h"

namespace dino::onnx {
namespace {

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
      return convert_all<std::uint16_t>(tensor, half_to_float);
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
  for (const float value : values) halves.push_back(float_to_half(value));
  return halves;
}

}  // namespace dino::onnx
