// GELU and the gradient of its bias are one pass; so are a norm's backward and the scaling for the
// branch before it.
#include "dino/model/fused_backward.h"

#include <ATen/Parallel.h>
#include <torch/types.h>

#include "dino/cpu/kernels.h"
#include "dino/model/fused_attention.h"
#include "dino/tensor/cpu_rows.h"

namespace dino::model::fused {
namespace {

/** sum += a^T b: the gradient of a weight from those of its outputs and its inputs. */
void add_product(Tensor sum, const Tensor& a, const Tensor& b) {
  if (a.scalar_type() == torch::kFloat32) {
    sum.addmm_(a.t(), b);
  } else {
    const Tensor product = at::mm(a.t(), b);
    cpu::kernels().add(tensor::cpu_type(product), product.data_ptr(), floats(sum), floats(sum),
                       sum.numel());
  }
}

void add_column_sums(const Tensor& sums, const Tensor& x) {
  cpu::kernels().column_sums(tensor::cpu_type(x), x.data_ptr(), floats(sums), x.size(0), x.size(1));
}

/** hidden becomes GELU(hidden), gradient the gradient before GELU; bias gains its column sums. */
void gelu_backward(const Tensor& hidden, const Tensor& gradient, const Tensor& bias) {
  cpu::kernels().gelu_backward(tensor::cpu_type(hidden), hidden.data_ptr(), gradient.data_ptr(),
                               floats(bias), hidden.size(0), hidden.size(1));
}

/** dx [rows, D], the gradient of the residual stream, gains the norm's. Returns scale * dx in dy's
 * type, what the preceding branch receives, and adds its column sums to `branch_bias`; nothing of
 * the two without `branch_bias`. */
Tensor norm_backward(const Tensor& dy, const Tensor& x, const Tensor& mean, const Tensor& rstd,
                     const Tensor& gamma, const Tensor& scale, const Tensor& dx,
                     const Tensor& dgamma, const Tensor& dbeta, const Tensor& branch_bias) {
  const Tensor scaled = branch_bias.defined() ? torch::empty_like(dy) : Tensor();
  cpu::kernels().layer_norm_backward({.dim = dy.size(1),
                                      .dy = dy.data_ptr(),
                                      .x = floats(x),
                                      .mean = floats(mean),
                                      .rstd = floats(rstd),
                                      .gamma = floats(gamma),
                                      .dx = floats(dx),
                                      .scaled = scaled.defined() ? scaled.data_ptr() : nullptr,
                                      .row_scale = floats(scale),
                                      .dgamma = floats(dgamma),
                                      .dbeta = floats(dbeta),
                                      .dbias = floats(branch_bias),
                                      .type = tensor::cpu_type(dy)},
                                     0, dy.size(0));
  return scaled;
}

}  // namespace

Gradients::Gradients(const std::vector<std::vector<std::int64_t>>& shapes) {
  std::int64_t total = 0;
  for (const auto& shape : shapes) total += c10::multiply_integers(shape);
  flat = torch::zeros({total});
  std::int64_t offset = 0;
  for (const auto& shape : shapes) {
    const std::int64_t count = c10::multiply_integers(shape);
    views.push_back(flat.narrow(0, offset, count).view(shape));
    offset += count;
  }
}

void Gradients::add(const Gradients& other) const {
  at::parallel_for(0, flat.numel(), 64 * 1024, [&](std::int64_t first, std::int64_t last) {
    cpu::kernels().accumulate(floats(other.flat) + first, floats(flat) + first, last - first);
  });
}

void slab_backward(const Pass& pass, const Slab& slab, SlabTape& tape, const Tensor& dout,
                   const Tensor& dtokens, const Gradients& sums) {
  const std::int64_t dim = pass.options.dim;
  Tensor dx = pass.cls_only ? dout.clone() : dtokens.copy_(dout);  // gradient of the stream
  const Tensor& last_scale = tape.back().scale2;
  Tensor dbranch =  // gradient of what the block's MLP added to the stream
      (last_scale.defined() ? dx * last_scale.unsqueeze(1) : dx).to(pass.type);
  add_column_sums(sums.views[(tape.size() - 1) * kPerBlock + kFc2Bias], dbranch);

  for (std::size_t i = tape.size(); i-- > 0;) {
    const BlockWeights& w = pass.weights[i];
    const Tensor* grads = &sums.views[i * kPerBlock];
    const BlockTape t = std::move(tape[i]);

    const Tensor dhidden = at::mm(dbranch, w.fc2);      // [rows, hidden]
    gelu_backward(t.hidden, dhidden, grads[kFc1Bias]);  // t.hidden is now GELU's output
    add_product(grads[kFc2], dbranch, t.hidden);
    add_product(grads[kFc1], dhidden, t.normed2);
    const Tensor dheads_out =
        norm_backward(at::mm(dhidden, w.fc1), t.x_mid, t.mean2, t.rstd2, w.gamma2, t.scale1, dx,
                      grads[kGamma2], grads[kBeta2], grads[kProjBias]);

    add_product(grads[kProj], dheads_out, t.heads);
    Tensor dquery;
    const Tensor dqkv =
        attention_backward(t, slab, pass.options.heads, at::mm(dheads_out, w.proj), dquery);
    Tensor dnormed1;
    if (pass.only_cls(i)) {
      add_product(grads[kQkv].narrow(0, 0, dim), dquery, cls_rows(t.normed1, slab));
      add_product(grads[kQkv].narrow(0, dim, 2 * dim), dqkv, t.normed1);
      add_column_sums(grads[kQkvBias].narrow(0, 0, dim), dquery);
      add_column_sums(grads[kQkvBias].narrow(0, dim, 2 * dim), dqkv);
      dnormed1 = at::mm(dqkv, w.qkv.narrow(0, dim, 2 * dim));
      cls_rows(dnormed1, slab).add_(at::mm(dquery, w.qkv.narrow(0, 0, dim)));
      cls_rows(dtokens.zero_(), slab).copy_(dx);
      dx = dtokens;
    } else {
      add_product(grads[kQkv], dqkv, t.normed1);
      add_column_sums(grads[kQkvBias], dqkv);
      dnormed1 = at::mm(dqkv, w.qkv);
    }
    const Tensor* before = i > 0 ? grads - kPerBlock : nullptr;  // the block whose MLP comes next
    dbranch = norm_backward(dnormed1, t.x, t.mean1, t.rstd1, w.gamma1,
                            i > 0 ? tape[i - 1].scale2 : Tensor(), dx, grads[kGamma1],
                            grads[kBeta1], before != nullptr ? before[kFc2Bias] : Tensor());
  }
}

}  // namespace dino::model::fused
