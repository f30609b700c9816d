#include "dino/model/backbone.h"

#include <ATen/core/Generator.h>

#include <array>

#include "dino/base/error.h"
#include "dino/base/mapped_file.h"
#include "dino/model/convnext.h"
#include "dino/model/resnet.h"
#include "dino/model/vit.h"
#include "dino/model/xcit.h"

namespace dino::model {

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

std::shared_ptr<Backbone> make_backbone(const arch::Architecture& architecture, double drop_path,
                                        torch::Generator generator) {
  arch::validate(architecture);
  switch (architecture.family) {
    case arch::Family::Vit:
      return std::make_shared<VisionTransformer>(architecture, VitOptions{.drop_path = drop_path},
                                                 generator);
    case arch::Family::ResNet50:
      return make_resnet50(architecture.channels, generator);
    case arch::Family::ConvNext:
      return std::make_shared<ConvNext>(architecture.convnext, architecture.channels, generator);
    case arch::Family::Xcit:
      return std::make_shared<Xcit>(architecture.xcit, architecture.channels, generator);
  }
  DINO_ASSERT(false);
}

arch::Architecture architecture_of(const recipe::Backbone& options, int channels, int image_size) {
  arch::Architecture architecture;
  architecture.channels = channels;
  architecture.image_size = image_size;
  if (options.arch == "resnet50") {
    architecture.family = arch::Family::ResNet50;
    return architecture;
  }
  struct Arch {
    const char* name;
    std::int64_t dim, depth, heads;
  };
  constexpr std::array<Arch, 4> kArchs = {{{"vit_tiny", 192, 12, 3},
                                           {"vit_small", 384, 12, 6},
                                           {"vit_base", 768, 12, 12},
                                           {"vit", 0, 0, 0}}};
  for (const auto& arch : kArchs) {
    if (options.arch != arch.name) continue;
    arch::Vit& vit = architecture.vit;
    vit.dim = options.dim > 0 ? options.dim : arch.dim;
    vit.depth = options.depth > 0 ? options.depth : arch.depth;
    vit.heads = options.heads > 0 ? options.heads : arch.heads;
    if (vit.dim < 1 || vit.depth < 1 || vit.heads < 1)
      fail(ErrorKind::Config, "[backbone] arch = \"vit\" needs dim, depth and heads");
    vit.hidden = static_cast<std::int64_t>(static_cast<double>(vit.dim) * options.mlp_ratio);
    vit.patch_size = options.patch_size;
    return architecture;
  }
  fail(ErrorKind::Config,
       "[backbone] arch \"{}\" is unknown: use vit_tiny, vit_small, vit_base, vit or resnet50",
       options.arch);
}

std::shared_ptr<Backbone> make_backbone(const recipe::Backbone& options, int channels,
                                        int image_size, double drop_path,
                                        torch::Generator generator) {
  return make_backbone(architecture_of(options, channels, image_size), drop_path, generator);
}

}  // namespace dino::model
