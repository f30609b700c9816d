#include "dino/train/micro_batch.h"

#include <torch/types.h>

#include "dino/base/error.h"

namespace dino::train {
namespace {

torch::Dtype dtype_of(data::SampleType type) {
  switch (type) {
    case data::SampleType::F32:
      return torch::kFloat32;
    case data::SampleType::BF16:
      return torch::kBFloat16;
    case data::SampleType::U8:
      return torch::kUInt8;
  }
  DINO_ASSERT(false);
}

}  // namespace

MicroBatch::MicroBatch(const data::CropBatch& batch, const PixelScale& scale, torch::Device device,
                       int part, int parts)
    : batch_(batch),
      scale_(scale),
      device_(device),
      images_(batch.batch_size / parts),
      first_(part * images_) {}

torch::Tensor MicroBatch::globals() const {
  return crops(batch_.globals, 2, batch_.global_size);
}

torch::Tensor MicroBatch::locals() const {
  if (batch_.local_count == 0) return {};
  return crops(batch_.locals, batch_.local_count, batch_.local_size);
}

torch::Tensor MicroBatch::teacher_globals() const {
  if (batch_.teacher_globals.size() == 0) return {};
  return crops(batch_.teacher_globals, 2, batch_.global_size);
}

torch::Tensor MicroBatch::gram_crops() const {
  if (batch_.gram.size() == 0) return {};
  return crops(batch_.gram, 2, batch_.gram_size);
}

MicroBatch::Masks MicroBatch::masks() const {
  const data::BatchMasks& batch = batch_.masks;
  if (batch.masked.empty()) return {};
  const std::int64_t patches = std::int64_t{batch.grid_height} * batch.grid_width;
  const auto of_batch = torch::from_blob(const_cast<std::uint8_t*>(batch.masked.data()),
                                         {2, batch_.batch_size, patches}, torch::kUInt8);
  const torch::Tensor masked =
      of_batch.narrow(1, first_, images_).reshape({2 * images_, patches}).to(torch::kBool);
  Masks masks;
  masks.masked = masked.to(device_);
  std::vector<std::int64_t> rows;  // of this part, in which each view has images_ crops
  for (std::size_t j = 0; j < batch.indices.size(); ++j) {
    const std::int64_t crop = batch.indices[j] / patches, image = crop % batch_.batch_size - first_;
    if (image < 0 || image >= images_) continue;
    const std::int64_t view = crop / batch_.batch_size;
    rows.push_back((view * images_ + image) * patches + batch.indices[j] % patches);
    masks.weights.push_back(batch.weights[j]);
  }
  masks.patches = torch::tensor(rows, torch::kInt64).to(device_);
  return masks;
}

torch::Tensor MicroBatch::crops(const data::AlignedBuffer& buffer, int views, int size) const {
  const torch::Tensor all = torch::from_blob(
      const_cast<std::byte*>(buffer.data<std::byte>()),
      {views, batch_.batch_size, batch_.channels, size, size}, dtype_of(buffer.type()));
  // Samples travel to the device as they are, the smallest they can be, and become floats there.
  const torch::Tensor images = all.narrow(1, first_, images_)
                                   .reshape({views * images_, batch_.channels, size, size})
                                   .to(device_)
                                   .to(torch::kFloat32);
  if (buffer.type() != data::SampleType::U8) return images;
  const auto per_channel = [&](const std::vector<double>& values) {
    return torch::tensor(values, torch::kFloat32).to(device_).view({1, batch_.channels, 1, 1});
  };
  return images.div(255).sub_(per_channel(scale_.mean)).div_(per_channel(scale_.std));
}

}  // namespace dino::train
