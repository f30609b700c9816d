#include "dino/model/tensor_bridge.h"

#include <torch/types.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
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
  const auto owner = std::make_shared<torch::Tensor>(tensor.detach().cpu().contiguous());
  return {std::move(name),
          to_format(owner->scalar_type()),
          owner->sizes().vec(),
          {static_cast<const std::byte*>(owner->const_data_ptr()), owner->nbytes()},
          owner};
}

std::vector<format::TensorRecord> to_records(std::span<const NamedTensor> state) {
  std::vector<format::TensorRecord> records;
  for (const auto& [name, tensor] : state) records.push_back(to_record(name, tensor));
  return records;
}

void restore(std::span<const NamedTensor> state, std::span<const format::TensorRecord> records) {
  std::map<std::string, const format::TensorRecord*> given;
  for (const auto& record : records) given[record.name] = &record;
  std::vector<const format::TensorRecord*> sources;
  std::vector<std::string> problems;
  for (const auto& [name, tensor] : state) {
    const auto found = given.find(name);
    if (found == given.end()) {
      problems.push_back(name + " is missing");
      continue;
    }
    const format::TensorRecord& record = *found->second;
    const format::DType dtype = to_format(tensor.scalar_type());
    if (record.shape != tensor.sizes().vec() || record.dtype != dtype)
      problems.push_back(fmt::format("{} is {} {}, expected {} {}", name,
                                     format::dtype_name(record.dtype),
                                     fmt::join(record.shape, " x "), format::dtype_name(dtype),
                                     fmt::join(tensor.sizes(), " x ")));
    sources.push_back(&record);
    given.erase(found);
  }
  for (const auto& [name, record] : given) problems.push_back(name + " is not expected");
  if (!problems.empty()) {
    const std::size_t shown = std::min<std::size_t>(problems.size(), 8);
    fail(ErrorKind::Config,
         "[load_state] {} tensors do not fit this recipe's network (another architecture, head or "
         "optimizer?): {}{}",
         problems.size(),
         fmt::join(problems.begin(), problems.begin() + static_cast<std::ptrdiff_t>(shown), "; "),
         problems.size() > shown ? "; ..." : "");
  }
  const torch::NoGradGuard no_grad;
  for (std::size_t i = 0; i < state.size(); ++i) {
    torch::Tensor target = state[i].tensor;
    target.copy_(borrow(*sources[i]));
  }
}

}  // namespace dino::model
