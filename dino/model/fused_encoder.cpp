// The encoder as one autograd node on the CPU. Sequences do not see each other, so each thread
// takes its share of them, in slabs whose activations fit its cache, through all blocks and back,
// and the threads meet twice a step: after the forward pass, and to add up their parameter
// gradients. Matrix products are Torch's (oneDNN, MKL), which reach the core's peak at a few
// hundred rows; everything between them is fused (dino/cpu): residual addition with the next norm,
// GELU or SwiGLU with its derivative and the bias gradient, the norm's backward with the scaling
// for the preceding branch. Activations are stored once, in the precision's type; GELU and the gate
// are recomputed.
#include "dino/model/fused_encoder.h"

#include <torch/csrc/autograd/custom_function.h>
#include <torch/types.h>

#include <optional>
#include <utility>

#include "dino/base/error.h"
#include "dino/model/fused_backward.h"
#include "dino/model/fused_forward.h"

namespace dino::model {
namespace fused {
namespace {

/** The layer whose outputs LayerScale multiplies, with the gains in it: y = (g W) h + g b. What
 * costs a pass over every token elsewhere is then one over the weights, and gradients flow from
 * them to g. */
std::pair<Tensor, Tensor> with_gain(const Affine& layer, const Tensor& gain) {
  if (!gain.defined()) return {layer.weight, layer.bias};
  return {layer.weight * gain.unsqueeze(1), layer.bias * gain};
}

/** The block's parameters; their gradients stand in the same order. A bias that is not there is
 * zeros that do not learn. */
std::vector<Tensor> parameters(const Block& b) {
  const Tensor qkv_bias =
      b.qkv->bias.defined() ? b.qkv_bias() : torch::zeros({b.qkv->weight.size(0)});
  const auto [proj, proj_bias] = with_gain(*b.proj, b.ls1);
  const auto [fc2, fc2_bias] = with_gain(*b.fc2, b.ls2);
  return {b.norm1->weight, b.norm1->bias, b.qkv->weight, qkv_bias,    proj, proj_bias,
          b.norm2->weight, b.norm2->bias, b.fc1->weight, b.fc1->bias, fc2,  fc2_bias};
}

BlockWeights cast_weights(const Tensor* p, torch::Dtype type) {
  return {.qkv = p[kQkv].to(type),
          .proj = p[kProj].to(type),
          .fc1 = p[kFc1].to(type),
          .fc2 = p[kFc2].to(type),
          .qkv_bias = p[kQkvBias].to(type),
          .proj_bias = p[kProjBias].to(type),
          .fc1_bias = p[kFc1Bias].to(type),
          .fc2_bias = p[kFc2Bias].to(type),
          .gamma1 = p[kGamma1],
          .beta1 = p[kBeta1],
          .gamma2 = p[kGamma2],
          .beta2 = p[kBeta2]};
}

/** All slabs of tokens [T, D]; `tapes` (by share and slab) receives the activations if it is given.
 */
Tensor forward(const Pass& pass, const Tensor& tokens, std::vector<std::vector<SlabTape>>* tapes) {
  const Tensor out = torch::empty(
      {pass.cls_only ? pass.layout.sequences() : pass.layout.rows(), pass.options.dim});
  if (tapes != nullptr) tapes->resize(pass.shares.size());
  for_each_index(pass.shares.size(), [&](std::size_t share) {
    for (const Slab& slab : pass.shares[share]) {
      SlabTape* tape = tapes == nullptr ? nullptr : &(*tapes)[share].emplace_back();
      slab_forward(pass, slab, tokens.narrow(0, slab.first_row, slab.rows()),
                   pass.cls_only ? out.narrow(0, slab.first_sequence, slab.sequences)
                                 : out.narrow(0, slab.first_row, slab.rows()),
                   tape);
    }
  });
  return out;
}

struct Tape : torch::CustomClassHolder {
  Pass pass;
  std::vector<std::vector<SlabTape>> slabs;       ///< by share
  std::vector<std::vector<std::int64_t>> shapes;  ///< of the parameters
};

Pass make_pass(at::TensorList inputs, const arch::Vit& options, const EncoderPass& call) {
  Pass pass{.options = options,
            .layout = call.layout,
            .type = dtype_of(call.precision),
            .cls_only = call.cls_only,
            .drop = call.drop,
            .rope = call.rope,
            .weights = {},
            .shares = share_out(call.layout, options.dim)};
  for (auto& groups : pass.rope)
    for (Tensor& table : groups) table = table.to(torch::kFloat32).contiguous();
  pass.weights.resize((inputs.size() - 1) / kPerBlock);
  for_each_index(pass.weights.size(), [&](std::size_t block) {
    pass.weights[block] = cast_weights(&inputs[1 + block * kPerBlock], pass.type);
  });
  return pass;
}

class FusedEncoder : public torch::autograd::Function<FusedEncoder> {
 public:
  // inputs: the tokens, then kPerBlock parameters per block.
  static Tensor forward(torch::autograd::AutogradContext* context, at::TensorList inputs,
                        const arch::Vit& options, const EncoderPass& call) {
    auto tape = c10::make_intrusive<Tape>();
    tape->pass = make_pass(inputs, options, call);
    for (std::size_t i = 1; i < inputs.size(); ++i) tape->shapes.push_back(inputs[i].sizes().vec());
    context->saved_data["tape"] = torch::IValue::make_capsule(tape);
    return fused::forward(tape->pass, inputs[0].contiguous(), &tape->slabs);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list output) {
    const auto capsule = context->saved_data["tape"].toCapsule();
    auto& tape = static_cast<Tape&>(*capsule);
    const Pass& pass = tape.pass;
    const Tensor dout = output[0].contiguous();
    const Tensor dtokens = torch::empty({pass.layout.rows(), pass.options.dim});
    std::vector<std::optional<Gradients>> sums(pass.shares.size());
    for_each_index(pass.shares.size(), [&](std::size_t share) {
      sums[share].emplace(tape.shapes);
      for (std::size_t i = 0; i < pass.shares[share].size(); ++i) {
        const Slab& slab = pass.shares[share][i];
        slab_backward(pass, slab, tape.slabs[share][i],
                      pass.cls_only ? dout.narrow(0, slab.first_sequence, slab.sequences)
                                    : dout.narrow(0, slab.first_row, slab.rows()),
                      dtokens.narrow(0, slab.first_row, slab.rows()), *sums[share]);
      }
    });
    for (std::size_t share = 1; share < sums.size(); ++share) sums[0]->add(*sums[share]);
    torch::autograd::variable_list grads = {dtokens};
    grads.insert(grads.end(), sums[0]->views.begin(), sums[0]->views.end());
    grads.resize(grads.size() + 2);  // the other arguments get none
    return grads;
  }
};

}  // namespace
}  // namespace fused

torch::Tensor fused_encoder(const std::vector<std::shared_ptr<Block>>& blocks,
                            const arch::Vit& options, const torch::Tensor& x,
                            const EncoderPass& pass) {
  DINO_ASSERT(options.dim / options.heads % 2 == 0);
  std::vector<torch::Tensor> inputs = {x};
  for (const auto& block : blocks) {
    for (auto& parameter : fused::parameters(*block)) inputs.push_back(std::move(parameter));
  }
  if (torch::GradMode::is_enabled())
    return fused::FusedEncoder::apply(at::TensorList(inputs), options, pass);
  return fused::forward(fused::make_pass(inputs, options, pass), x.contiguous(), nullptr);
}

}  // namespace dino::model
