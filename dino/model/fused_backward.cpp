// One block after another from the last; weights of all slabs of a share gain their products.
#include "dino/model/fused_backward.h"

#include <ATen/Parallel.h>
#include <torch/types.h>

#include "dino/cpu/kernels.h"
#include "dino/model/fused_attention.h"
#include "dino/model/fused_ffn.h"
#include "dino/model/fused_residual.h"
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
  Tensor dbranch =  // gradient of what the block's MLP added to the stream
      branch_gradient(dx, tape.back().mlp, pass.type,
                      sums.views[(tape.size() - 1) * kPerBlock + kFc2Bias]);

  for (std::size_t i = tape.size(); i-- > 0;) {
    const BlockWeights& w = pass.weights[i];
    const Tensor* grads = &sums.views[i * kPerBlock];
    const BlockTape t = std::move(tape[i]);

    const auto [mlp_out, dhidden] =
        ffn_backward(pass.options.ffn, t.hidden, at::mm(dbranch, w.fc2), grads[kFc1Bias]);
    add_product(grads[kFc2], dbranch, mlp_out);
    add_product(grads[kFc1], dhidden, t.norm2.out);
    const Tensor dheads_out =
        norm_backward(at::mm(dhidden, w.fc1), t.norm2, w.gamma2, t.mlp, &t.attention, dx,
                      {grads[kGamma2], grads[kBeta2], grads[kProjBias]});

    add_product(grads[kProj], dheads_out, t.heads);
    const Slab taken = slab.of(t.attention.sequences);
    Tensor dquery;
    const Tensor dqkv =
        attention_backward(t, attention_pass(pass, i, taken), at::mm(dheads_out, w.proj), dquery);
    Tensor dnormed1;
    if (pass.only_cls(i)) {
      add_product(grads[kQkv].narrow(0, 0, dim), dquery, cls_rows(t.norm1.out, taken));
      add_product(grads[kQkv].narrow(0, dim, 2 * dim), dqkv, t.norm1.out);
      add_column_sums(grads[kQkvBias].narrow(0, 0, dim), dquery);
      add_column_sums(grads[kQkvBias].narrow(0, dim, 2 * dim), dqkv);
      dnormed1 = at::mm(dqkv, w.qkv.narrow(0, dim, 2 * dim));
      cls_rows(dnormed1, taken).add_(at::mm(dquery, w.qkv.narrow(0, 0, dim)));
      cls_rows(dtokens.zero_(), slab).copy_(dx);
      dx = dtokens;
    } else {
      add_product(grads[kQkv], dqkv, t.norm1.out);
      add_column_sums(grads[kQkvBias], dqkv);
      dnormed1 = at::mm(dqkv, w.qkv);
    }
    const bool first = i == 0;  // otherwise the MLP of the block before comes next
    dbranch = norm_backward(
        dnormed1, t.norm1, w.gamma1, t.attention, first ? nullptr : &tape[i - 1].mlp, dx,
        {grads[kGamma1], grads[kBeta1], first ? Tensor() : (grads - kPerBlock)[kFc2Bias]});
  }
}

}  // namespace dino::model::fused
