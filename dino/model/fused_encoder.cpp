// The encoder as one autograd node on the CPU. Matrix products are Torch's (oneDNN, MKL), which run
// near the machine's peak; everything between them is fused (dino/cpu): residual addition with the
// next norm, GELU with its derivative and the bias gradient, the norm's backward with the scaling
// for the preceding branch. Activations are stored once, in the precision's type; GELU is
// recomputed.
#include <ATen/Parallel.h>
#include <torch/torch.h>

#include <cmath>
#include <optional>

#include "dino/base/error.h"
#include "dino/cpu/attention.h"
#include "dino/cpu/kernels.h"
#include "dino/model/encoder.h"

namespace dino::model {
namespace {

using torch::Tensor;

constexpr std::int64_t kRowGrain = 16;

cpu::Type kernel_type(const Tensor& x) {
  return x.scalar_type() == torch::kBFloat16 ? cpu::Type::BF16 : cpu::Type::F32;
}
float* floats(const Tensor& x) {
  return x.defined() ? x.data_ptr<float>() : nullptr;
}
/** Address of row r. */
void* row(const Tensor& x, std::int64_t r) {
  return static_cast<char*>(x.data_ptr()) +
         r * x.size(1) * static_cast<std::int64_t>(x.element_size());
}

/** Weights of one block in the compute type, biases and norms in fp32. */
struct Weights {
  Tensor qkv, proj, fc1, fc2;                      ///< compute type
  Tensor qkv_bias, proj_bias, fc1_bias, fc2_bias;  ///< compute type
  Tensor gamma1, beta1, gamma2, beta2;             ///< fp32
};
constexpr std::size_t kPerBlock = 12;

/** The block's parameters in the order of gradients(). */
std::vector<Tensor> parameters(const Block& b) {
  return {b.norm1->weight, b.norm1->bias, b.qkv->weight, b.qkv->bias, b.proj->weight, b.proj->bias,
          b.norm2->weight, b.norm2->bias, b.fc1->weight, b.fc1->bias, b.fc2->weight,  b.fc2->bias};
}

Weights cast_weights(const Tensor* p, torch::Dtype type) {
  return {.qkv = p[2].to(type),
          .proj = p[4].to(type),
          .fc1 = p[8].to(type),
          .fc2 = p[10].to(type),
          .qkv_bias = p[3].to(type),
          .proj_bias = p[5].to(type),
          .fc1_bias = p[9].to(type),
          .fc2_bias = p[11].to(type),
          .gamma1 = p[0],
          .beta1 = p[1],
          .gamma2 = p[6],
          .beta2 = p[7]};
}

/** What one block's backward needs. In a CLS-only block everything after attention has S rows
 * instead of T. */
struct BlockTape {
  Tensor x, mean1, rstd1, normed1;      ///< [T, D] fp32, [T], [T], [T, D]
  Tensor qkv;                           ///< [T, 3D]; CLS-only: [T, 2D] keys and values
  Tensor query;                         ///< CLS-only: [S, D]
  Tensor logsumexp;                     ///< [T or S, heads] of the attention scores
  Tensor heads;                         ///< [T or S, D] concatenated attention outputs
  Tensor x_mid, mean2, rstd2, normed2;  ///< after the attention branch
  Tensor hidden;                        ///< [T or S, hidden] before GELU
  Tensor scale1, scale2;                ///< per row factors of the branches, or undefined
};

struct Tape : torch::CustomClassHolder {
  EncoderOptions options;
  TokenLayout layout;
  bool cls_only = false;
  Tensor cls_rows;
  std::vector<Weights> weights;
  std::vector<BlockTape> blocks;
};

// ---- forward pieces ----

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
                                   .type = kernel_type(out)};
  at::parallel_for(0, rows, kRowGrain, [&](std::int64_t first, std::int64_t last) {
    cpu::kernels().layer_norm_forward(args, first, last);
  });
  return out;
}

/** x + scale * y as a new fp32 tensor. */
Tensor add(const Tensor& x, const Tensor& y, const Tensor& scale) {
  Tensor out = torch::empty_like(x);
  const cpu::LayerNormForward args{.dim = x.size(1),
                                   .x_in = floats(x),
                                   .x = floats(out),
                                   .y = y.data_ptr(),
                                   .row_scale = floats(scale),
                                   .type = kernel_type(y)};
  at::parallel_for(0, x.size(0), kRowGrain, [&](std::int64_t first, std::int64_t last) {
    cpu::kernels().layer_norm_forward(args, first, last);
  });
  return out;
}

Tensor gelu_forward(const Tensor& u) {
  Tensor out = torch::empty_like(u);
  const std::int64_t dim = u.size(1);
  at::parallel_for(0, u.size(0), kRowGrain, [&](std::int64_t first, std::int64_t last) {
    cpu::kernels().gelu_forward(kernel_type(u), row(u, first), row(out, first),
                                (last - first) * dim);
  });
  return out;
}

/** Visits every head of every sequence, in parallel: body(first query row, first key row, tokens,
 * head, scratch). */
template <typename Body>
void for_each_head(const TokenLayout& layout, bool only_cls, std::int64_t heads,
                   std::int64_t head_dim, const Body& body) {
  std::int64_t first_sequence = 0;
  for (const auto& group : layout.groups) {
    const std::int64_t words = cpu::attention_scratch_bytes(group.tokens, head_dim) / 8 + 16;
    at::parallel_for(0, group.sequences * heads, 1, [&](std::int64_t first, std::int64_t last) {
      const Tensor scratch = torch::empty({words}, torch::kFloat64);  // Torch aligns to 64 bytes
      for (std::int64_t i = first; i < last; ++i) {
        const std::int64_t sequence = i / heads;
        const std::int64_t key_row = group.first_row + sequence * group.tokens;
        body(only_cls ? first_sequence + sequence : key_row, key_row, group.tokens, i % heads,
             scratch.data_ptr());
      }
    });
    first_sequence += group.sequences;
  }
}

/** Address of head `head`'s columns in row r of x [rows, kinds * D], column block `kind`. */
void* columns(const Tensor& x, std::int64_t r, std::int64_t kind, std::int64_t dim,
              std::int64_t first_column) {
  return static_cast<char*>(row(x, r)) +
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
  return {.type = kernel_type(t.qkv),
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

void attention(BlockTape& t, const TokenLayout& layout, std::int64_t heads) {
  const bool only_cls = t.query.defined();
  const std::int64_t rows = only_cls ? t.query.size(0) : t.qkv.size(0);
  const std::int64_t dim = only_cls ? t.query.size(1) : t.qkv.size(1) / 3;
  t.heads = torch::empty({rows, dim}, t.qkv.scalar_type());
  t.logsumexp = torch::empty({heads, rows});
  for_each_head(layout, only_cls, heads, dim / heads,
                [&](std::int64_t query_row, std::int64_t key_row, std::int64_t tokens,
                    std::int64_t head, void* scratch) {
                  cpu::kernels().attention_forward(
                      head_view(t, query_row, key_row, tokens, head, heads, scratch));
                });
}

/** All blocks; fills `tape` (moves each block's activations into it) if it is given. */
Tensor run(const std::vector<Weights>& weights, const EncoderOptions& options, const Tensor& input,
           const TokenLayout& layout, const Tensor& drop, bool cls_only, const Tensor& cls_rows,
           torch::Dtype type, std::vector<BlockTape>* tapes) {
  const std::int64_t dim = options.dim;
  Tensor x = input, branch, scale;  // the stream is x + scale * branch, added by the next norm
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const Weights& w = weights[i];
    const bool only_cls = cls_only && i + 1 == weights.size();
    BlockTape t;
    t.normed1 = add_norm(x, branch, scale, w.gamma1, w.beta1, type, t.x, t.mean1, t.rstd1);
    x = t.x;
    if (only_cls) {
      t.qkv =
          at::linear(t.normed1, w.qkv.narrow(0, dim, 2 * dim), w.qkv_bias.narrow(0, dim, 2 * dim));
      t.query = at::linear(t.normed1.index_select(0, cls_rows), w.qkv.narrow(0, 0, dim),
                           w.qkv_bias.narrow(0, 0, dim));
      x = x.index_select(0, cls_rows);
    } else {
      t.qkv = at::linear(t.normed1, w.qkv, w.qkv_bias);
    }
    if (drop.defined()) {
      const Tensor factors = drop[static_cast<std::int64_t>(i)];
      t.scale1 = only_cls ? factors[0].contiguous() : factors_per_row(factors[0], layout);
      t.scale2 = only_cls ? factors[1].contiguous() : factors_per_row(factors[1], layout);
    }
    attention(t, layout, options.heads);
    branch = at::linear(t.heads, w.proj, w.proj_bias);
    t.normed2 = add_norm(x, branch, t.scale1, w.gamma2, w.beta2, type, t.x_mid, t.mean2, t.rstd2);
    x = t.x_mid;
    t.hidden = at::linear(t.normed2, w.fc1, w.fc1_bias);
    branch = at::linear(gelu_forward(t.hidden), w.fc2, w.fc2_bias);
    scale = t.scale2;
    if (tapes != nullptr) tapes->push_back(std::move(t));
  }
  return add(x, branch, scale);
}

// ---- backward pieces ----

/** Sums that threads collect apart and merge in order: [count, n] -> n. */
class PartialSums {
 public:
  explicit PartialSums(std::int64_t n) : sums_(torch::zeros({at::get_num_threads(), n})) {}
  float* mine() { return sums_.data_ptr<float>() + at::get_thread_num() * sums_.size(1); }
  Tensor total() const { return sums_.sum(0); }

 private:
  Tensor sums_;
};

/** Gradient of one norm and of the residual stream it reads; see cpu::LayerNormBackward. */
struct NormGradient {
  Tensor dgamma, dbeta;
  Tensor scaled, dbias;  ///< what the preceding branch receives, and its column sums
};
NormGradient norm_backward(const Tensor& dy, const Tensor& x, const Tensor& mean,
                           const Tensor& rstd, const Tensor& gamma, Tensor& dx, bool want_scaled,
                           const Tensor& scale) {
  const std::int64_t rows = dy.size(0), dim = dy.size(1);
  NormGradient out;
  if (want_scaled) out.scaled = torch::empty_like(dy);
  PartialSums sums(3 * dim);
  const cpu::LayerNormBackward args{.dim = dim,
                                    .dy = dy.data_ptr(),
                                    .x = floats(x),
                                    .mean = floats(mean),
                                    .rstd = floats(rstd),
                                    .gamma = floats(gamma),
                                    .dx = floats(dx),
                                    .scaled = want_scaled ? out.scaled.data_ptr() : nullptr,
                                    .row_scale = floats(scale),
                                    .type = kernel_type(dy)};
  at::parallel_for(0, rows, kRowGrain, [&](std::int64_t first, std::int64_t last) {
    auto mine = args;
    mine.dgamma = sums.mine();
    mine.dbeta = mine.dgamma + dim;
    mine.dbias = mine.dgamma + 2 * dim;
    cpu::kernels().layer_norm_backward(mine, first, last);
  });
  const Tensor total = sums.total();
  out.dgamma = total.narrow(0, 0, dim);
  out.dbeta = total.narrow(0, dim, dim);
  out.dbias = total.narrow(0, 2 * dim, dim);
  return out;
}

Tensor column_sums(const Tensor& x) {
  PartialSums sums(x.size(1));
  at::parallel_for(0, x.size(0), kRowGrain, [&](std::int64_t first, std::int64_t last) {
    cpu::kernels().column_sums(kernel_type(x), row(x, first), sums.mine(), last - first, x.size(1));
  });
  return sums.total();
}

/** hidden becomes GELU(hidden), gradient becomes the gradient before GELU; returns its column sums.
 */
Tensor gelu_backward(Tensor& hidden, Tensor& gradient) {
  PartialSums sums(hidden.size(1));
  at::parallel_for(0, hidden.size(0), kRowGrain, [&](std::int64_t first, std::int64_t last) {
    cpu::kernels().gelu_backward(kernel_type(hidden), row(hidden, first), row(gradient, first),
                                 sums.mine(), last - first, hidden.size(1));
  });
  return sums.total();
}

/** Gradient [T, 3D] of the packed projections (CLS-only: [T, 2D], and `dquery` [S, D]). */
Tensor attention_backward(const BlockTape& t, const TokenLayout& layout, std::int64_t heads,
                          const Tensor& dheads, Tensor& dquery) {
  const bool only_cls = t.query.defined();
  const std::int64_t dim = t.heads.size(1), head_dim = dim / heads;
  const std::int64_t key_kind = only_cls ? 0 : 1;
  Tensor dqkv = torch::empty_like(t.qkv);
  if (only_cls) dquery = torch::empty_like(t.query);
  for_each_head(layout, only_cls, heads, head_dim,
                [&](std::int64_t query_row, std::int64_t key_row, std::int64_t tokens,
                    std::int64_t head, void* scratch) {
                  const std::int64_t column = head * head_dim;
                  cpu::kernels().attention_backward(
                      {.forward = head_view(t, query_row, key_row, tokens, head, heads, scratch),
                       .dout = columns(dheads, query_row, 0, dim, column),
                       .dq = columns(only_cls ? dquery : dqkv, query_row, 0, dim, column),
                       .dk = columns(dqkv, key_row, key_kind, dim, column),
                       .dv = columns(dqkv, key_row, key_kind + 1, dim, column)});
                });
  return dqkv;
}

Tensor to_float(const Tensor& x) {
  return x.to(torch::kFloat32);
}

/** Backward of block i. dx [rows, D] fp32 is the stream's gradient, dz = scale2 * dx in the compute
 * type, dz_sums its column sums; on return all three belong to the block before. */
std::vector<Tensor> block_backward(Tape& tape, std::size_t i, Tensor& dx, Tensor& dz,
                                   Tensor& dz_sums) {
  const Weights& w = tape.weights[i];
  BlockTape t = std::move(tape.blocks[i]);  // freed on return
  const std::int64_t dim = tape.options.dim;
  const bool only_cls = t.query.defined();
  std::vector<Tensor> grads(kPerBlock);

  grads[11] = dz_sums;
  Tensor dhidden = at::mm(dz, w.fc2);              // [rows, hidden]
  grads[9] = gelu_backward(t.hidden, dhidden);     // t.hidden is now GELU's output
  grads[10] = to_float(at::mm(dz.t(), t.hidden));  // [D, hidden]
  grads[8] = to_float(at::mm(dhidden.t(), t.normed2));
  const Tensor dnormed2 = at::mm(dhidden, w.fc1);
  const NormGradient norm2 =
      norm_backward(dnormed2, t.x_mid, t.mean2, t.rstd2, w.gamma2, dx, true, t.scale1);
  grads[6] = norm2.dgamma;
  grads[7] = norm2.dbeta;

  grads[5] = norm2.dbias;
  grads[4] = to_float(at::mm(norm2.scaled.t(), t.heads));
  Tensor dquery;
  const Tensor dqkv =
      attention_backward(t, tape.layout, tape.options.heads, at::mm(norm2.scaled, w.proj), dquery);
  Tensor dnormed1;
  if (only_cls) {
    const Tensor cls = t.normed1.index_select(0, tape.cls_rows);
    grads[2] =
        torch::cat({to_float(at::mm(dquery.t(), cls)), to_float(at::mm(dqkv.t(), t.normed1))});
    grads[3] = torch::cat({column_sums(dquery), column_sums(dqkv)});
    dnormed1 = at::mm(dqkv, w.qkv.narrow(0, dim, 2 * dim));
    dnormed1.index_add_(0, tape.cls_rows, at::mm(dquery, w.qkv.narrow(0, 0, dim)));
    Tensor all = torch::zeros_like(t.x);
    all.index_copy_(0, tape.cls_rows, dx);
    dx = all;
  } else {
    grads[2] = to_float(at::mm(dqkv.t(), t.normed1));
    grads[3] = column_sums(dqkv);
    dnormed1 = at::mm(dqkv, w.qkv);
  }
  const Tensor before = i > 0 ? tape.blocks[i - 1].scale2 : Tensor();
  const NormGradient norm1 =
      norm_backward(dnormed1, t.x, t.mean1, t.rstd1, w.gamma1, dx, i > 0, before);
  grads[0] = norm1.dgamma;
  grads[1] = norm1.dbeta;
  dz = norm1.scaled;
  dz_sums = norm1.dbias;
  return grads;
}

class FusedEncoder : public torch::autograd::Function<FusedEncoder> {
 public:
  // inputs: the tokens, then kPerBlock parameters per block.
  static Tensor forward(torch::autograd::AutogradContext* context, at::TensorList inputs,
                        const EncoderOptions& options, const TokenLayout& layout,
                        const std::optional<Tensor>& maybe_drop, bool cls_only, torch::Dtype type) {
    const Tensor drop = maybe_drop.value_or(Tensor());
    auto tape = c10::make_intrusive<Tape>();
    tape->options = options;
    tape->layout = layout;
    tape->cls_only = cls_only;
    if (cls_only) tape->cls_rows = layout.cls_rows();
    for (std::size_t i = 1; i < inputs.size(); i += kPerBlock) {
      tape->weights.push_back(cast_weights(&inputs[i], type));
    }
    const Tensor out = run(tape->weights, options, inputs[0].contiguous(), layout, drop, cls_only,
                           tape->cls_rows, type, &tape->blocks);
    context->saved_data["tape"] = torch::IValue::make_capsule(tape);
    return out;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list output) {
    const auto capsule = context->saved_data["tape"].toCapsule();
    auto& tape = static_cast<Tape&>(*capsule);
    const std::size_t depth = tape.blocks.size();
    torch::autograd::variable_list grads(1 + depth * kPerBlock + 5);  // 5 non-tensor arguments
    Tensor dx = output[0].contiguous().clone();
    const Tensor& scale = tape.blocks.back().scale2;
    Tensor dz =
        (scale.defined() ? dx * scale.unsqueeze(1) : dx).to(tape.weights[0].qkv.scalar_type());
    Tensor dz_sums = column_sums(dz);
    for (std::size_t i = depth; i-- > 0;) {
      auto block = block_backward(tape, i, dx, dz, dz_sums);
      std::move(block.begin(), block.end(),
                grads.begin() + static_cast<std::ptrdiff_t>(1 + i * kPerBlock));
    }
    grads[0] = dx;
    return grads;
  }
};

}  // namespace

Tensor fused_encoder(const std::vector<std::shared_ptr<Block>>& blocks,
                     const EncoderOptions& options, const Tensor& x, const TokenLayout& layout,
                     const Tensor& drop, bool cls_only, Precision precision) {
  const torch::Dtype type = dtype_of(precision);
  DINO_ASSERT(options.dim / options.heads % 2 == 0);
  std::vector<Tensor> inputs = {x};
  for (const auto& block : blocks) {
    for (auto& parameter : parameters(*block)) inputs.push_back(std::move(parameter));
  }
  if (torch::GradMode::is_enabled()) {
    const auto maybe_drop = drop.defined() ? std::optional(drop) : std::nullopt;
    return FusedEncoder::apply(at::TensorList(inputs), options, layout, maybe_drop, cls_only, type);
  }
  std::vector<Weights> weights;
  for (std::size_t i = 1; i < inputs.size(); i += kPerBlock) {
    weights.push_back(cast_weights(&inputs[i], type));
  }
  const Tensor cls_rows = cls_only ? layout.cls_rows() : Tensor();
  return run(weights, options, x.contiguous(), layout, drop, cls_only, cls_rows, type, nullptr);
}

}  // namespace dino::model
