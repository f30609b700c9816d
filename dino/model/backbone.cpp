#include "dino/model/backbone.h"

#include <ATen/core/Generator.h>

#include <array>

#include "dino/base/error.h"
#include "dino/model/convnext.h"
#include "dino/model/resnet.h"
#include "dino/model/vit.h"
#include "dino/model/xcit.h"

namespace dino::model {

std::shared_ptr<Backbone> make_backbone(const recipe::Backbone& options, int channels,
                                        int image_size, double drop_path,
                                        torch::Generator generator) {
  if (options.arch == "resnet50") return make_resnet50(channels, generator);
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
    VitOptions vit;
    auto& encoder = vit.encoder;
    encoder.dim = options.dim > 0 ? options.dim : arch.dim;
    encoder.depth = options.depth > 0 ? options.depth : arch.depth;
    encoder.heads = options.heads > 0 ? options.heads : arch.heads;
    if (encoder.dim < 1 || encoder.depth < 1 || encoder.heads < 1) {
      fail(ErrorKind::Config, "[backbone] arch = \"vit\" needs dim, depth and heads");
    }
    encoder.hidden =
        static_cast<std::int64_t>(static_cast<double>(encoder.dim) * options.mlp_ratio);
    encoder.drop_path = drop_path;
    vit.patch_size = options.patch_size;
    vit.channels = channels;
    vit.image_size = image_size;
    return std::make_shared<VisionTransformer>(vit, generator);
  }
  fail(ErrorKind::Config,
       "[backbone] arch \"{}\" is unknown: use vit_tiny, vit_small, vit_base, vit or resnet50",
       options.arch);
}

std::shared_ptr<Backbone> make_backbone(const arch::Architecture& architecture,
                                        torch::Generator generator) {
  arch::validate(architecture);
  switch (architecture.family) {
    case arch::Family::Vit:
      fail(ErrorKind::Internal, "[backbone] this function does not build ViTs yet");
    case arch::Family::ConvNext:
      return std::make_shared<ConvNext>(architecture.convnext, architecture.channels, generator);
    case arch::Family::ResNet50:
      return make_resnet50(architecture.channels, generator);
    case arch::Family::Xcit:
      return std::make_shared<Xcit>(architecture.xcit, architecture.channels, generator);
  }
  DINO_ASSERT(false);
}

}  // namespace dino::model
