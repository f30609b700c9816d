// Pixels become rows of patches in the compute type, one matrix product projects the patches of all
// groups, and one pass adds positions and places the rows. Backward needs no more than the patch
// rows and the masks.
#include "dino/model/fused_embed.h"

#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/types.h>

#include <cstring>

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
Tensor patch_rows(const std::vector<CropGroup>& groups, std::int64_t patch, torch::Dtype type) {
  std::int64_t rows = 0, columns = 0;
  for (const auto& group : groups) {
    const Tensor& x = group.images;
    rows += x.size(0) * (x.size(2) / patch) * (x.size(3) / patch);
    columns = x.size(1) * patch * patch;
  }
  Tensor out = torch::empty({rows, columns}, type);
  std::int64_t first_row = 0;
  for (const auto& group : groups) {
    const Tensor& x = group.images;
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

/** What an embedding reads besides parameters and positions; backward needs no more. */
struct Input {
  TokenLayout layout;
  Tensor patches;             ///< [sum B * P, C * p * p]
  std::vector<Tensor> masks;  ///< [B, P] bool per group, or undefined
};

Tensor forward(const Input& input, const std::vector<Tensor>& positions,
               const EmbedParameters& parameters) {
  const auto type = input.patches.scalar_type();
  const std::int64_t dim = parameters.weight.size(0), registers = parameters.registers.size(1);
  const Tensor projected = at::linear(input.patches, parameters.weight.view({dim, -1}).to(type),
                                      parameters.bias.to(type));  // [sum B * P, D]
  const Tensor mask_token = parameters.mask_token.contiguous();
  Tensor tokens = torch::empty({input.layout.rows(), dim});
  const auto& kernels = cpu::kernels();
  std::int64_t first_patch = 0;
  for (std::size_t g = 0; g < input.layout.groups.size(); ++g) {
    const auto& group = input.layout.groups[g];
    const std::int64_t prefix = 1 + registers, patch_count = group.tokens - prefix;
    const Tensor table = positions[g].contiguous();
    const Tensor before = torch::cat({parameters.cls_token.view({1, dim}) + table[0][0],
                                      parameters.registers.view({registers, dim})});
    const Tensor mask = input.masks[g].defined() ? input.masks[g].contiguous() : Tensor();
    const std::int64_t grain = grain_of(group.tokens * dim);
    at::parallel_for(0, group.sequences, grain, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t b = first; b < last; ++b) {
        float* to = tokens.data_ptr<float>() + (group.first_row + b * group.tokens) * dim;
        std::memcpy(to, before.data_ptr<float>(), before.nbytes());
        to += prefix * dim;
        const float* at = table.data_ptr<float>() + dim;
        kernels.add(tensor::cpu_type(projected),
                    tensor::row_of(projected, first_patch + b * patch_count), at, to,
                    patch_count * dim);
        for (std::int64_t i = 0; mask.defined() && i < patch_count; ++i)
          if (mask.data_ptr<bool>()[b * patch_count + i])
            kernels.add(cpu::Type::F32, mask_token.data_ptr<float>(), at + i * dim, to + i * dim,
                        dim);
      }
    });
    first_patch += group.sequences * patch_count;
  }
  return tokens;
}

/** Sum over the sequences of dtokens [B, N, D], in their order: any number of threads gives the
 * same bytes. */
Tensor sum_of_sequences(const Tensor& dtokens) {
  const std::int64_t sequences = dtokens.size(0), tokens = dtokens.size(1), dim = dtokens.size(2);
  const float* from = dtokens.data_ptr<float>();
  Tensor sums = torch::zeros({tokens, dim});
  const std::int64_t grain = grain_of(sequences * dim);
  at::parallel_for(0, tokens, grain, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t b = 0; b < sequences; ++b) {
      cpu::kernels().accumulate(from + (b * tokens + first) * dim,
                                sums.data_ptr<float>() + first * dim, (last - first) * dim);
    }
  });
  return sums;
}

/** Gradients [B * P, D] of a group's patches in dtokens [B, N, D] into `out`, in its type. */
void convert_patches(const Tensor& dtokens, std::int64_t prefix, const Tensor& out) {
  const std::int64_t tokens = dtokens.size(1), dim = dtokens.size(2), count = tokens - prefix;
  const float* from = dtokens.data_ptr<float>();
  const std::int64_t grain = grain_of(tokens * dim);
  at::parallel_for(0, dtokens.size(0), grain, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t b = first; b < last; ++b) {
      cpu::kernels().convert(tensor::cpu_type(out), from + (b * tokens + prefix) * dim, 1.0F,
                             tensor::row_of(out, b * count), count * dim);
    }
  });
}

struct Tape : torch::CustomClassHolder {
  Input input;
  std::int64_t registers = 0;
  std::vector<std::int64_t> weight_shape;
};

class FusedEmbed : public torch::autograd::Function<FusedEmbed> {
 public:
  static Tensor forward(torch::autograd::AutogradContext* context, const Tensor& weight,
                        const Tensor& bias, const Tensor& cls_token, const Tensor& registers,
                        const Tensor& mask_token, at::TensorList positions, const Input& input) {
    auto tape = c10::make_intrusive<Tape>();
    tape->input = input;
    tape->registers = registers.size(1);
    tape->weight_shape = weight.sizes().vec();
    context->saved_data["tape"] = torch::IValue::make_capsule(tape);
    return model::forward(input, positions.vec(), {weight, bias, cls_token, registers, mask_token});
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list output) {
    const auto capsule = context->saved_data["tape"].toCapsule();
    const auto& tape = static_cast<const Tape&>(*capsule);
    const Tensor& patches = tape.input.patches;
    const Tensor dtokens = output[0].contiguous();  // [T, D]
    const std::int64_t dim = dtokens.size(1), prefix = 1 + tape.registers;
    const Tensor dprojected = torch::empty({patches.size(0), dim}, patches.scalar_type());
    std::vector<Tensor> dpositions;
    Tensor dbefore = torch::zeros({prefix, dim}), dbias = torch::zeros({dim}),
           dmask_token = torch::zeros({1, dim});
    std::int64_t first_patch = 0;
    for (std::size_t g = 0; g < tape.input.layout.groups.size(); ++g) {
      const auto& group = tape.input.layout.groups[g];
      const std::int64_t patch_count = group.tokens - prefix;
      const Tensor own = dtokens.narrow(0, group.first_row, group.sequences * group.tokens)
                             .view({group.sequences, group.tokens, dim});
      const Tensor down = dprojected.narrow(0, first_patch, group.sequences * patch_count);
      convert_patches(own, prefix, down);
      const Tensor sums = sum_of_sequences(own);
      const Tensor dpatches = sums.narrow(0, prefix, patch_count);
      dbefore += sums.narrow(0, 0, prefix);
      if (tape.input.masks[g].defined()) {
        const Tensor& mask = tape.input.masks[g];
        const Tensor rows = own.narrow(1, prefix, patch_count);
        dmask_token += rows.index({mask}).sum(0);
        dbias += rows.index({mask.logical_not()}).sum(0);
        down.masked_fill_(mask.reshape({-1, 1}), 0);
      } else {
        dbias += dpatches.sum(0);
      }
      dpositions.push_back(torch::cat({sums.narrow(0, 0, 1), dpatches}).unsqueeze(0));
      first_patch += group.sequences * patch_count;
    }
    const Tensor dweight =
        at::mm(dprojected.t(), patches).to(torch::kFloat32).view(tape.weight_shape);
    torch::autograd::variable_list grads = {dweight, dbias, dbefore.narrow(0, 0, 1).unsqueeze(0),
                                            dbefore.narrow(0, 1, tape.registers).unsqueeze(0),
                                            dmask_token};
    grads.insert(grads.end(), dpositions.begin(), dpositions.end());
    grads.resize(grads.size() + 1);  // the input gets none
    return grads;
  }
};

}  // namespace

Tensor fused_embed(const std::vector<CropGroup>& groups, const std::vector<Tensor>& positions,
                   const EmbedParameters& given, const TokenLayout& layout, Precision precision) {
  EmbedParameters p = given;
  const std::int64_t dim = p.weight.size(0);
  if (!p.registers.defined()) p.registers = torch::empty({1, 0, dim});
  if (!p.mask_token.defined()) p.mask_token = torch::zeros({1, dim});
  Input input{layout, patch_rows(groups, p.weight.size(2), dtype_of(precision)), {}};
  for (const auto& group : groups) input.masks.push_back(group.masks);
  if (!torch::GradMode::is_enabled()) return forward(input, positions, p);
  return FusedEmbed::apply(p.weight, p.bias, p.cls_token, p.registers, p.mask_token,
                           at::TensorList(positions), input);
}

}  // namespace dino::model
