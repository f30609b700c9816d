// Pixels become rows of patches in the compute type, one matrix product projects the patches of all
// groups, and one pass adds positions and places the rows. Backward needs no more than the patch
// rows.
#include "dino/model/fused_embed.h"

#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/types.h>

#include "dino/cpu/kernels.h"
#include "dino/tensor/cpu_rows.h"

namespace dino::model {
namespace {

using torch::Tensor;

/** How many items of so many elements are worth a thread: what is done here to fewer than 128K
 * elements takes no longer than to wake one. */
std::int64_t grain_of(std::int64_t elements) {
  return 128 * 1024 / elements + 1;
}

/** Patches of all groups as rows [sum B * P, C * p * p]. */
Tensor patch_rows(const std::vector<Tensor>& images, std::int64_t patch, torch::Dtype type) {
  std::int64_t rows = 0, columns = 0;
  for (const auto& x : images) {
    rows += x.size(0) * (x.size(2) / patch) * (x.size(3) / patch);
    columns = x.size(1) * patch * patch;
  }
  Tensor out = torch::empty({rows, columns}, type);
  std::int64_t first_row = 0;
  for (const auto& x : images) {
    const Tensor source = x.contiguous();
    const std::int64_t channels = x.size(1), height = x.size(2), width = x.size(3);
    const std::int64_t patches = (height / patch) * (width / patch);
    const std::int64_t grain = grain_of(channels * height * width);
    at::parallel_for(0, x.size(0), grain, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t b = first; b < last; ++b) {
        cpu::kernels().patchify(tensor::cpu_type(out),
                                source.data_ptr<float>() + b * channels * height * width, channels,
                                height, width, patch, tensor::row_of(out, first_row + b * patches));
      }
    });
    first_row += x.size(0) * patches;
  }
  return out;
}

/** What backward needs. */
struct Tape : torch::CustomClassHolder {
  TokenLayout layout;
  Tensor patches;  ///< [sum B * P, C * p * p]
  std::vector<std::int64_t> weight_shape;
};

Tensor forward(const Tensor& patches, const std::vector<Tensor>& positions, const Tensor& weight,
               const Tensor& bias, const Tensor& cls_token, const TokenLayout& layout) {
  const auto type = patches.scalar_type();
  const std::int64_t dim = weight.size(0);
  const Tensor projected =
      at::linear(patches, weight.view({dim, -1}).to(type), bias.to(type));  // [sum B * P, D]
  Tensor tokens = torch::empty({layout.rows(), dim});
  const auto& kernels = cpu::kernels();
  std::int64_t first_patch = 0;
  for (std::size_t g = 0; g < layout.groups.size(); ++g) {
    const auto& group = layout.groups[g];
    const std::int64_t patch_count = group.tokens - 1;
    const Tensor table = positions[g].contiguous();
    const Tensor cls = (cls_token.view({dim}) + table[0][0]).contiguous();
    const std::int64_t grain = grain_of(group.tokens * dim);
    at::parallel_for(0, group.sequences, grain, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t b = first; b < last; ++b) {
        float* to = tokens.data_ptr<float>() + (group.first_row + b * group.tokens) * dim;
        std::memcpy(to, cls.data_ptr<float>(), static_cast<std::size_t>(dim) * sizeof(float));
        kernels.add(tensor::cpu_type(projected),
                    tensor::row_of(projected, first_patch + b * patch_count),
                    table.data_ptr<float>() + dim, to + dim, patch_count * dim);
      }
    });
    first_patch += group.sequences * patch_count;
  }
  return tokens;
}

class FusedEmbed : public torch::autograd::Function<FusedEmbed> {
 public:
  static Tensor forward(torch::autograd::AutogradContext* context, const Tensor& weight,
                        const Tensor& bias, const Tensor& cls_token, at::TensorList positions,
                        const Tensor& patches, const TokenLayout& layout) {
    auto tape = c10::make_intrusive<Tape>();
    tape->layout = layout;
    tape->patches = patches;
    tape->weight_shape = weight.sizes().vec();
    context->saved_data["tape"] = torch::IValue::make_capsule(tape);
    return model::forward(patches, positions.vec(), weight, bias, cls_token, layout);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list output) {
    const auto capsule = context->saved_data["tape"].toCapsule();
    const auto& tape = static_cast<const Tape&>(*capsule);
    const Tensor dtokens = output[0].contiguous();  // [T, D]
    const std::int64_t dim = dtokens.size(1);
    const auto& kernels = cpu::kernels();
    Tensor dprojected = torch::empty({tape.patches.size(0), dim}, tape.patches.scalar_type());
    std::vector<Tensor> dpositions;
    Tensor dcls = torch::zeros({dim}), dbias = torch::zeros({dim});
    std::int64_t first_patch = 0;
    for (const auto& group : tape.layout.groups) {
      const std::int64_t patch_count = group.tokens - 1;
      const float* from = dtokens.data_ptr<float>() + group.first_row * dim;
      const std::int64_t grain = grain_of(group.tokens * dim);
      at::parallel_for(0, group.sequences, grain, [&](std::int64_t first, std::int64_t last) {
        for (std::int64_t b = first; b < last; ++b) {
          kernels.convert(tensor::cpu_type(dprojected), from + (b * group.tokens + 1) * dim, 1.0F,
                          tensor::row_of(dprojected, first_patch + b * patch_count),
                          patch_count * dim);
        }
      });
      // Each position sums over the images in their order: any number of threads gives the same
      // bytes.
      Tensor sums = torch::zeros({1, group.tokens, dim});
      const std::int64_t sum_grain = grain_of(group.sequences * dim);
      at::parallel_for(0, group.tokens, sum_grain, [&](std::int64_t first, std::int64_t last) {
        for (std::int64_t b = 0; b < group.sequences; ++b) {
          kernels.accumulate(from + (b * group.tokens + first) * dim,
                             sums.data_ptr<float>() + first * dim, (last - first) * dim);
        }
      });
      dcls += sums[0][0];
      dbias += sums[0].narrow(0, 1, patch_count).sum(0);
      dpositions.push_back(sums);
      first_patch += group.sequences * patch_count;
    }
    const Tensor dweight =
        at::mm(dprojected.t(), tape.patches).to(torch::kFloat32).view(tape.weight_shape);
    torch::autograd::variable_list grads = {dweight, dbias, dcls.view({1, 1, dim})};
    grads.insert(grads.end(), dpositions.begin(), dpositions.end());
    grads.resize(grads.size() + 2);  // patches and layout get none
    return grads;
  }
};

}  // namespace

Tensor fused_embed(const std::vector<Tensor>& images, const std::vector<Tensor>& positions,
                   const Tensor& weight, const Tensor& bias, const Tensor& cls_token,
                   const TokenLayout& layout, Precision precision) {
  const Tensor patches = patch_rows(images, weight.size(2), dtype_of(precision));
  if (!torch::GradMode::is_enabled()) {
    return forward(patches, positions, weight, bias, cls_token, layout);
  }
  return FusedEmbed::apply(weight, bias, cls_token, at::TensorList(positions), patches, layout);
}

}  // namespace dino::model
