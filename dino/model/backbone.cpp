#include "dino/model/backbone.h"

#include <ATen/Version.h>
#include <ATen/core/Generator.h>

#include "dino/base/error.h"
#include "dino/model/convnext.h"
#include "dino/model/resnet.h"
#include "dino/model/vit.h"
#include "dino/model/xcit.h"

namespace dino::model {

std::string_view name_of(Precision precision) {
  switch (precision) {
    case Precision::Fp32:
      return "fp32";
    case Precision::Bf16:
      return "bf16";
    case Precision::Int8:
      return "int8";
  }
  DINO_ASSERT(false);
}

void Backbone::set_precision(Precision precision) {
  if (precision == Precision::Int8)
    fail(ErrorKind::Usage,
         "[precision] int8 is for ViTs on the CPU: this network computes in fp32 or bf16; use "
         "--precision fp32 or bf16");
  precision_ = precision;
}

Computed Backbone::computed() const {
  return {precision_, "torch " + at::get_cpu_capability()};
}

void Backbone::freeze() {
  eval();
  for (auto& parameter : parameters()) parameter.set_requires_grad(false);
}

void Backbone::drop_mapped_pages() const {
  for (const auto& file : mapped_files_) drop_pages(file);
}

std::vector<int> last_blocks(int n, int depth) {
  if (n < 1 || n > depth)
    fail(ErrorKind::Usage, "[layers] {} layers asked for: this backbone has 1 to {}", n, depth);
  std::vector<int> blocks;
  for (int i = depth - n; i < depth; ++i) blocks.push_back(i);
  return blocks;
}

int block_index(int block, int depth) {
  const int index = block < 0 ? depth + block : block;
  if (index < 0 || index >= depth)
    fail(ErrorKind::Usage, "[layers] block {} asked for: this backbone has 0 to {}", block,
         depth - 1);
  return index;
}

std::shared_ptr<Backbone> make_backbone(const arch::Architecture& architecture,
                                        const TrainingOptions& options,
                                        torch::Generator generator) {
  arch::validate(architecture);
  switch (architecture.family) {
    case arch::Family::Vit:
      return std::make_shared<VisionTransformer>(architecture, options, generator);
    case arch::Family::ResNet50:
      return make_resnet50(architecture.channels, generator);
    case arch::Family::ConvNext:
      return std::make_shared<ConvNext>(architecture.convnext, architecture.channels, generator);
    case arch::Family::Xcit:
      return std::make_shared<Xcit>(architecture.xcit, architecture.channels, generator);
  }
  DINO_ASSERT(false);
}

}  // namespace dino::model
