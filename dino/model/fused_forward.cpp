// One block after another; what each adds to the stream is added by the next norm.
#include "dino/model/fused_forward.h"

#include <torch/types.h>

#include "dino/model/fused_attention.h"
#include "dino/model/fused_ffn.h"
#include "dino/model/fused_residual.h"

namespace dino::model::fused {

void slab_forward(const Pass& pass, const Slab& slab, Tensor x, const Tensor& out, SlabTape* tape) {
  const std::int64_t dim = pass.options.dim;
  Tensor branch;  // what the last branch adds to the stream, at the next norm
  Taken by;
  for (std::size_t i = 0; i < pass.weights.size(); ++i) {
    const BlockWeights& w = pass.weights[i];
    BlockTape t;
    t.attention = taken_by(pass, i, 0, slab);
    t.mlp = taken_by(pass, i, 1, slab);
    t.norm1 = add_norm(pass, x, {branch, i > 0 ? &by : nullptr}, t.attention, w.gamma1, w.beta1);
    x = t.norm1.x;
    const Slab taken = slab.of(t.attention.sequences);
    if (pass.only_cls(i)) {
      t.qkv = at::linear(t.norm1.out, w.qkv.narrow(0, dim, 2 * dim),
                         w.qkv_bias.narrow(0, dim, 2 * dim));
      t.query = at::linear(cls_rows(t.norm1.out, taken), w.qkv.narrow(0, 0, dim),
                           w.qkv_bias.narrow(0, 0, dim));
      x = cls_rows(x, slab).contiguous();
    } else {
      t.qkv = at::linear(t.norm1.out, w.qkv, w.qkv_bias);
    }
    attention_forward(t, attention_pass(pass, i, taken));
    branch = at::linear(t.heads, w.proj, w.proj_bias);
    t.norm2 = add_norm(pass, x, {branch, &t.attention}, t.mlp, w.gamma2, w.beta2);
    x = t.norm2.x;
    t.hidden = at::linear(t.norm2.out, w.fc1, w.fc1_bias);
    branch = at::linear(ffn_forward(pass.options.ffn, t.hidden), w.fc2, w.fc2_bias);
    by = t.mlp;
    if (tape != nullptr) tape->push_back(std::move(t));
  }
  add(x, {branch, &by}, out);
}

}  // namespace dino::model::fused
