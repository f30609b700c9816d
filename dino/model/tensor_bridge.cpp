#include "dino/model/tensor_bridge.h"

#include <torch/torch.h>

#include <array>
#include <cstring>
#include <utility>

#include "dino/base/error.h"

namespace dino::model {
namespace {

constexpr std::array<std::pair<format::DType, torch::Dtype>, 13> kTypes = {{
    {format::DType::F64, torch::kFloat64},
    {format::DType::F32, torch::kFloat32},
    {format::DType::F16, torch::kFloat16},
    {format::DType::BF16, torch::kBFloat16},
    {format::DType::I64, torch::kInt64},
    {format::DType::I32, torch::kInt32},
    {format::DType::I16, torch::kInt16},
    {format::DType::I8, torch::kInt8},
    {format::DType::U64, torch::kUInt64},
    {format::DType::U32, torch::kUInt32},
    {format::DType::U16, torch::kUInt16},
    {format::DType::U8, torch::kUInt8},
    {format::DType::Bool, torch::kBool},
}};

}  // namespace

torch::Dtype to_torch(format::DType dtype) {
  for (const auto& [ours, theirs] : kTypes)
    if (ours == dtype) return theirs;
  fail(ErrorKind::Format, "[tensor] {} values cannot be computed with", format::dtype_name(dtype));
}

format::DType to_format(torch::Dtype dtype) {
  for (const auto& [ours, theirs] : kTypes)
    if (theirs == dtype) return ours;
  fail(ErrorKind::Usage, "[tensor] files hold no {} values", c10::toString(dtype));
}

torch::Tensor borrow(const format::TensorRecord& record) {
  const auto type = torch::TensorOptions(to_torch(record.dtype));
  auto* data = const_cast<std::byte*>(record.bytes.data());  // from_blob takes no const
  if (reinterpret_cast<std::uintptr_t>(data) % format::item_bytes(record.dtype) != 0) {
    torch::Tensor copy = torch::empty(record.shape, type);
    std::memcpy(copy.data_ptr(), data, record.bytes.size());
    return copy;
  }
  return torch::from_blob(
      data, record.shape, [owner = record.owner](void*) {}, type);
}

format::TensorRecord to_record(std::string name, const torch::Tensor& tensor) {
  DINO_ASSERT(tensor.is_contiguous() && tensor.device().is_cpu());
  return {std::move(name),
          to_format(tensor.scalar_type()),
          tensor.sizes().vec(),
          {static_cast<const std::byte*>(tensor.const_data_ptr()), tensor.nbytes()}};
}

}  // namespace dino::model
