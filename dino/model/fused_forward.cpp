// A residual addition and the norm after it are one pass; GELU is not stored, backward does it
// again.
#include "dino/model/fused_forward.h"

#include <ATen/Parallel.h>
#include <torch/types.h>

#include "dino/cpu/kernels.h"
#include "dino/model/fused_attention.h"
#include "dino/tensor/cpu_rows.h"

namespace dino::model::fused {
namespace {

constexpr std::int64_t kRowGrain = 16;

/** LayerNorm of x + scale * y. Returns the norm's output; `sum` receives x + scale * y (x itself
 * without y). */
Tensor add_norm(const Tensor& x, const Tensor& y, const Tensor& scale, const Tensor& gamma,
                const Tensor& beta, torch::Dtype type, Tensor& sum, Tensor& mean, Tensor& rstd) {
  const std::int64_t rows = x.size(0), dim = x.size(1);
  sum = y.defined() ? torch::empty_like(x) : x;
  mean = torch::empty({rows});
  rstd = torch::empty({rows});
  Tensor out = torch::empty({rows, dim}, type);
  const cpu::LayerNormForward args{.dim = dim,
                                   .x_in = floats(x),
                                   .x = floats(sum),
                                   .y = y.defined() ? y.data_ptr() : nullptr,
                                   .row_scale = floats(scale),
                                   .gamma = floats(gamma),
                                   .beta = floats(beta),
                                   .eps = static_cast<float>(kNormEps),
                                   .out = out.data_ptr(),
                                   .mean = floats(mean),
                                   .rstd = floats(rstd),
                                   .type = tensor::cpu_type(out)};
  at::parallel_for(0, rows, kRowGrain, [&](std::int64_t first, std::int64_t last) {
    cpu::kernels().layer_norm_forward(args, first, last);
  });
  return out;
}

/** out = x + scale * y. */
void add(const Tensor& x, const Tensor& y, const Tensor& scale, const Tensor& out) {
  const cpu::LayerNormForward args{.dim = x.size(1),
                                   .x_in = floats(x),
                                   .x = floats(out),
                                   .y = y.data_ptr(),
                                   .row_scale = floats(scale),
                                   .type = tensor::cpu_type(y)};
  at::parallel_for(0, x.size(0), kRowGrain, [&](std::int64_t first, std::int64_t last) {
    cpu::kernels().layer_norm_forward(args, first, last);
  });
}

Tensor gelu_forward(const Tensor& u) {
  Tensor out = torch::empty_like(u);
  const std::int64_t dim = u.size(1);
  at::parallel_for(0, u.size(0), kRowGrain, [&](std::int64_t first, std::int64_t last) {
    cpu::kernels().gelu_forward(tensor::cpu_type(u), tensor::row_of(u, first),
                                tensor::row_of(out, first), (last - first) * dim);
  });
  return out;
}

/** Factors of branch 0 or 1 of a block for every row the branch has; undefined without drop path.
 */
Tensor row_factors(const Pass& pass, std::size_t block, std::int64_t branch, const Slab& slab) {
  if (!pass.drop.defined()) return {};
  const Tensor factors = pass.drop[static_cast<std::int64_t>(block)][branch].narrow(
      0, slab.first_sequence, slab.sequences);
  return pass.only_cls(block) ? factors.contiguous() : factors.repeat_interleave(slab.tokens);
}

}  // namespace

void slab_forward(const Pass& pass, const Slab& slab, Tensor x, const Tensor& out, SlabTape* tape) {
  const std::int64_t dim = pass.options.dim;
  Tensor branch, scale;  // the stream is x + scale * branch, added by the next norm
  for (std::size_t i = 0; i < pass.weights.size(); ++i) {
    const BlockWeights& w = pass.weights[i];
    BlockTape t;
    t.normed1 = add_norm(x, branch, scale, w.gamma1, w.beta1, pass.type, t.x, t.mean1, t.rstd1);
    x = t.x;
    if (pass.only_cls(i)) {
      t.qkv =
          at::linear(t.normed1, w.qkv.narrow(0, dim, 2 * dim), w.qkv_bias.narrow(0, dim, 2 * dim));
      t.query = at::linear(cls_rows(t.normed1, slab), w.qkv.narrow(0, 0, dim),
                           w.qkv_bias.narrow(0, 0, dim));
      x = cls_rows(x, slab).contiguous();
    } else {
      t.qkv = at::linear(t.normed1, w.qkv, w.qkv_bias);
    }
    t.scale1 = row_factors(pass, i, 0, slab);
    t.scale2 = row_factors(pass, i, 1, slab);
    attention_forward(t, slab, pass.options.heads);
    branch = at::linear(t.heads, w.proj, w.proj_bias);
    t.normed2 =
        add_norm(x, branch, t.scale1, w.gamma2, w.beta2, pass.type, t.x_mid, t.mean2, t.rstd2);
    x = t.x_mid;
    t.hidden = at::linear(t.normed2, w.fc1, w.fc1_bias);
    branch = at::linear(gelu_forward(t.hidden), w.fc2, w.fc2_bias);
    scale = t.scale2;
    if (tape != nullptr) tape->push_back(std::move(t));
  }
  add(x, branch, scale, out);
}

}  // namespace dino::model::fused
