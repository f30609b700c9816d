// Every head of every sequence is a call of the kernels of dino/cpu. The gradient of a rotation is
// the rotation back.
#include "dino/model/fused_attention.h"

#include <ATen/Parallel.h>
#include <torch/types.h>

#include <cmath>

#include "dino/cpu/attention.h"
#include "dino/tensor/cpu_rows.h"

namespace dino::model::fused {
namespace {

/** Visits every head of every sequence: body(first query row, first key row, head, scratch). */
template <typename Body>
void for_each_head(const Slab& slab, bool only_cls, std::int64_t heads, std::int64_t head_dim,
                   const Body& body) {
  const std::int64_t words = cpu::attention_scratch_bytes(slab.tokens, head_dim) / 8 + 16;
  at::parallel_for(0, slab.sequences * heads, 1, [&](std::int64_t first, std::int64_t last) {
    const Tensor scratch = torch::empty({words}, torch::kFloat64);  // Torch aligns to 64 bytes
    for (std::int64_t i = first; i < last; ++i) {
      const std::int64_t sequence = i / heads, key_row = sequence * slab.tokens;
      body(only_cls ? sequence : key_row, key_row, i % heads, scratch.data_ptr());
    }
  });
}

/** Address of head `head`'s columns in row r of x [rows, kinds * D], column block `kind`. */
void* columns(const Tensor& x, std::int64_t r, std::int64_t kind, std::int64_t dim,
              std::int64_t first_column) {
  return static_cast<char*>(tensor::row_of(x, r)) +
         (kind * dim + first_column) * static_cast<std::int64_t>(x.element_size());
}

/** The kernel's view of one head: queries, keys and values are columns of the packed projections.
 */
cpu::Attention head_view(const BlockTape& t, std::int64_t query_row, std::int64_t key_row,
                         std::int64_t tokens, std::int64_t head, std::int64_t heads,
                         void* scratch) {
  const std::int64_t dim = t.heads.size(1), head_dim = dim / heads, column = head * head_dim;
  const bool only_cls = t.query.defined();
  const std::int64_t key_kind = only_cls ? 0 : 1;
  return {.type = tensor::cpu_type(t.qkv),
          .queries = only_cls ? 1 : tokens,
          .keys = tokens,
          .head_dim = head_dim,
          .scale = 1.0F / std::sqrt(static_cast<float>(head_dim)),
          .q = columns(only_cls ? t.query : t.qkv, query_row, 0, dim, column),
          .k = columns(t.qkv, key_row, key_kind, dim, column),
          .v = columns(t.qkv, key_row, key_kind + 1, dim, column),
          .q_stride = only_cls ? dim : 3 * dim,
          .kv_stride = t.qkv.size(1),
          .out = columns(t.heads, query_row, 0, dim, column),
          .out_stride = dim,
          .logsumexp = t.logsumexp.data_ptr<float>() + head * t.logsumexp.size(1) + query_row,
          .scratch = scratch};
}

/** Rotates queries and keys of the patches in the packed projections x [T, 3D], or keys in
 * [T, 2D] (CLS, the only query, is not rotated). */
void rotate(const Tensor& x, bool only_cls, const AttentionPass& pass, const Tensor& sines) {
  const Tensor cosines = pass.rope[0];
  const std::int64_t dim = x.size(1) / (only_cls ? 2 : 3), head_dim = dim / pass.heads;
  const std::int64_t vectors = only_cls ? pass.heads : 2 * pass.heads;
  at::parallel_for(0, x.size(0), 16, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t r = first; r < last; ++r) {
      const std::int64_t patch = r % pass.slab.tokens - pass.prefix;
      if (patch < 0) continue;
      cpu::kernels().rotate(tensor::cpu_type(x), tensor::row_of(x, r), vectors, head_dim,
                            floats(cosines) + patch * head_dim, floats(sines) + patch * head_dim);
    }
  });
}

}  // namespace

void attention_forward(BlockTape& t, const AttentionPass& pass) {
  const std::int64_t heads = pass.heads;
  const bool only_cls = t.query.defined();
  const std::int64_t rows = only_cls ? t.query.size(0) : t.qkv.size(0);
  const std::int64_t dim = only_cls ? t.query.size(1) : t.qkv.size(1) / 3;
  t.heads = torch::empty({rows, dim}, t.qkv.scalar_type());
  t.logsumexp = torch::empty({heads, rows});
  if (pass.rope.defined()) rotate(t.qkv, only_cls, pass, pass.rope[1]);
  for_each_head(
      pass.slab, only_cls, heads, dim / heads,
      [&](std::int64_t query_row, std::int64_t key_row, std::int64_t head, void* scratch) {
        cpu::kernels().attention_forward(
            head_view(t, query_row, key_row, pass.slab.tokens, head, heads, scratch));
      });
}

Tensor attention_backward(const BlockTape& t, const AttentionPass& pass, const Tensor& dheads,
                          Tensor& dquery) {
  const std::int64_t heads = pass.heads;
  const bool only_cls = t.query.defined();
  const std::int64_t dim = t.heads.size(1), head_dim = dim / heads;
  const std::int64_t key_kind = only_cls ? 0 : 1;
  Tensor dqkv = torch::empty_like(t.qkv);
  if (only_cls) dquery = torch::empty_like(t.query);
  for_each_head(
      pass.slab, only_cls, heads, head_dim,
      [&](std::int64_t query_row, std::int64_t key_row, std::int64_t head, void* scratch) {
        const std::int64_t column = head * head_dim;
        cpu::kernels().attention_backward(
            {.forward = head_view(t, query_row, key_row, pass.slab.tokens, head, heads, scratch),
             .dout = columns(dheads, query_row, 0, dim, column),
             .dq = columns(only_cls ? dquery : dqkv, query_row, 0, dim, column),
             .dk = columns(dqkv, key_row, key_kind, dim, column),
             .dv = columns(dqkv, key_row, key_kind + 1, dim, column)});
      });
  if (pass.rope.defined()) rotate(dqkv, only_cls, pass, -pass.rope[1]);
  return dqkv;
}

}  // namespace dino::model::fused
