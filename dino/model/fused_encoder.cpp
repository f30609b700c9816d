// The encoder as one autograd node on the CPU. Sequences do not see each other, so each thread
// takes its share of them, in slabs whose activations fit its cache, through all blocks and back,
// and the threads meet twice a step: after the forward pass, and to add up their parameter
// gradients. Matrix products are Torch's (oneDNN, MKL), which reach the core's peak at a few
// hundred rows; everything between them is fused (dino/cpu): residual addition with the next norm,
// GELU with its derivative and the bias gradient, the norm's backward with the scaling for the
// preceding branch. Activations are stored once, in the precision's type; GELU is recomputed.
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
constexpr std::int64_t kSlabRows = 384;  // enough for the products' peak, few enough for the cache

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

// ---- who computes what ----

/** Some equally long sequences that follow each other in the packed tokens. */
struct Slab {
  std::int64_t sequences = 0, tokens = 0;
  std::int64_t first_row = 0, first_sequence = 0;  ///< in the packed tokens
  std::int64_t rows() const { return sequences * tokens; }
};
using Lane = std::vector<Slab>;  ///< one thread's share

/** The layout in as many lanes as there are threads, of about equal work; in one lane (whose inner
 * loops and products use all threads) if there are too few sequences to share out. */
std::vector<Lane> share_out(const TokenLayout& layout, std::int64_t dim) {
  const auto cost = [dim](const TokenLayout::Group& group) {  // of a sequence: products, attention
    return static_cast<double>(group.tokens * (12 * dim + 2 * group.tokens));
  };
  const std::int64_t threads = at::get_num_threads();
  const std::int64_t lane_count = layout.sequences() >= threads ? threads : 1;
  double total = 0;
  for (const auto& group : layout.groups)
    total += static_cast<double>(group.sequences) * cost(group);

  std::vector<Lane> lanes(static_cast<std::size_t>(lane_count));
  double spent = 0;
  std::int64_t first_sequence = 0;
  for (const auto& group : layout.groups) {
    const std::int64_t most = std::max<std::int64_t>(1, kSlabRows / group.tokens);
    for (std::int64_t done = 0; done < group.sequences;) {
      const auto lane =
          std::min(static_cast<std::int64_t>(spent / total * static_cast<double>(lane_count)),
                   lane_count - 1);
      const double lane_end =
          total * static_cast<double>(lane + 1) / static_cast<double>(lane_count);
      const auto fit = std::max<std::int64_t>(1, std::llround((lane_end - spent) / cost(group)));
      const std::int64_t take = std::min({most, fit, group.sequences - done});
      lanes[static_cast<std::size_t>(lane)].push_back(
          {take, group.tokens, group.first_row + done * group.tokens, first_sequence + done});
      done += take;
      spent += static_cast<double>(take) * cost(group);
    }
    first_sequence += group.sequences;
  }
  std::erase_if(lanes, [](const Lane& lane) { return lane.empty(); });
  return lanes;
}

/** Runs body(lane index) for every lane, each on its own thread. */
template <typename Body>
void for_each_lane(const std::vector<Lane>& lanes, const Body& body) {
  const auto run = [&](std::int64_t first, std::int64_t last) {
    const at::AutoDispatchBelowADInplaceOrView below_autograd;  // modes belong to a thread
    for (std::int64_t i = first; i < last; ++i) body(static_cast<std::size_t>(i));
  };
  if (lanes.size() == 1) return run(0, 1);
  at::parallel_for(0, static_cast<std::int64_t>(lanes.size()), 1, run);
}

/** Weights of one block in the compute type, biases and norms in fp32. */
struct Weights {
  Tensor qkv, proj, fc1, fc2;                      ///< compute type
  Tensor qkv_bias, proj_bias, fc1_bias, fc2_bias;  ///< compute type
  Tensor gamma1, beta1, gamma2, beta2;             ///< fp32
};

/** The block's parameters; their gradients stand in the same order. */
std::vector<Tensor> parameters(const Block& b) {
  return {b.norm1->weight, b.norm1->bias, b.qkv->weight, b.qkv->bias, b.proj->weight, b.proj->bias,
          b.norm2->weight, b.norm2->bias, b.fc1->weight, b.fc1->bias, b.fc2->weight,  b.fc2->bias};
}
enum Parameter : std::size_t {
  kGamma1,
  kBeta1,
  kQkv,
  kQkvBias,
  kProj,
  kProjBias,
  kGamma2,
  kBeta2,
  kFc1,
  kFc1Bias,
  kFc2,
  kFc2Bias,
  kPerBlock
};

Weights cast_weights(const Tensor* p, torch::Dtype type) {
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

/** What the passes over one batch share. */
struct Pass {
  arch::Vit options;
  TokenLayout layout;
  torch::Dtype type = torch::kFloat32;
  bool cls_only = false;  ///< the last block computes nothing but the CLS rows
  Tensor drop;            ///< [depth, 2, S] factors of the branches, or undefined
  std::vector<Weights> weights;
  std::vector<Lane> lanes;

  bool only_cls(std::size_t block) const { return cls_only && block + 1 == weights.size(); }
};

/** What the backward of one block needs of a slab of T rows, S sequences. In a CLS-only block
 * everything after attention has S rows instead of T. */
struct BlockTape {
  Tensor x, mean1, rstd1, normed1;      ///< [T, D] fp32, [T], [T], [T, D]
  Tensor qkv;                           ///< [T, 3D]; CLS-only: [T, 2D] keys and values
  Tensor query;                         ///< CLS-only: [S, D]
  Tensor logsumexp;                     ///< [heads, T or S] of the attention scores
  Tensor heads;                         ///< [T or S, D] concatenated attention outputs
  Tensor x_mid, mean2, rstd2, normed2;  ///< after the attention branch
  Tensor hidden;                        ///< [T or S, hidden] before GELU
  Tensor scale1, scale2;                ///< per row factors of the branches, or undefined
};
using SlabTape = std::vector<BlockTape>;  ///< by block

/** The CLS rows of a slab's x [T, D], as a view [S, D]. */
Tensor cls_rows(const Tensor& x, const Slab& slab) {
  return x.view({slab.sequences, slab.tokens, x.size(1)}).select(1, 0);
}

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

/** out = x + scale * y. */
void add(const Tensor& x, const Tensor& y, const Tensor& scale, const Tensor& out) {
  const cpu::LayerNormForward args{.dim = x.size(1),
                                   .x_in = floats(x),
                                   .x = floats(out),
                                   .y = y.data_ptr(),
                                   .row_scale = floats(scale),
                                   .type = kernel_type(y)};
  at::parallel_for(0, x.size(0), kRowGrain, [&](std::int64_t first, std::int64_t last) {
    cpu::kernels().layer_norm_forward(args, first, last);
  });
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

void attention(BlockTape& t, const Slab& slab, std::int64_t heads) {
  const bool only_cls = t.query.defined();
  const std::int64_t rows = only_cls ? t.query.size(0) : t.qkv.size(0);
  const std::int64_t dim = only_cls ? t.query.size(1) : t.qkv.size(1) / 3;
  t.heads = torch::empty({rows, dim}, t.qkv.scalar_type());
  t.logsumexp = torch::empty({heads, rows});
  for_each_head(
      slab, only_cls, heads, dim / heads,
      [&](std::int64_t query_row, std::int64_t key_row, std::int64_t head, void* scratch) {
        cpu::kernels().attention_forward(
            head_view(t, query_row, key_row, slab.tokens, head, heads, scratch));
      });
}

/** Factors of branch 0 or 1 of a block for every row the branch has; undefined without drop path.
 */
Tensor row_factors(const Pass& pass, std::size_t block, std::int64_t branch, const Slab& slab) {
  if (!pass.drop.defined()) return {};
  const Tensor factors = pass.drop[static_cast<std::int64_t>(block)][branch].narrow(
      0, slab.first_sequence, slab.sequences);
  return pass.only_cls(block) ? factors.contiguous() : factors.repeat_interleave(slab.tokens);
}

/** All blocks on x [T, D] into out [T or S, D]; moves the activations into `tape` if it is given.
 */
void slab_forward(const Pass& pass, const Slab& slab, Tensor x, const Tensor& out, SlabTape* tape) {
  const std::int64_t dim = pass.options.dim;
  Tensor branch, scale;  // the stream is x + scale * branch, added by the next norm
  for (std::size_t i = 0; i < pass.weights.size(); ++i) {
    const Weights& w = pass.weights[i];
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
    attention(t, slab, pass.options.heads);
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

/** All slabs of tokens [T, D]; `tapes` (by lane and slab) receives the activations if it is given.
 */
Tensor forward(const Pass& pass, const Tensor& tokens, std::vector<std::vector<SlabTape>>* tapes) {
  const Tensor out = torch::empty(
      {pass.cls_only ? pass.layout.sequences() : pass.layout.rows(), pass.options.dim});
  if (tapes != nullptr) tapes->resize(pass.lanes.size());
  for_each_lane(pass.lanes, [&](std::size_t lane) {
    for (const Slab& slab : pass.lanes[lane]) {
      SlabTape* tape = tapes == nullptr ? nullptr : &(*tapes)[lane].emplace_back();
      slab_forward(pass, slab, tokens.narrow(0, slab.first_row, slab.rows()),
                   pass.cls_only ? out.narrow(0, slab.first_sequence, slab.sequences)
                                 : out.narrow(0, slab.first_row, slab.rows()),
                   tape);
    }
  });
  return out;
}

// ---- backward pieces ----

/** Parameter gradients of all blocks that one lane adds up: views of one flat buffer. */
struct Gradients {
  Tensor flat;                ///< [n] fp32
  std::vector<Tensor> views;  ///< kPerBlock a block

  explicit Gradients(const std::vector<std::vector<std::int64_t>>& shapes) {
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
  void add(const Gradients& other) const {
    at::parallel_for(0, flat.numel(), 64 * 1024, [&](std::int64_t first, std::int64_t last) {
      cpu::kernels().accumulate(floats(other.flat) + first, floats(flat) + first, last - first);
    });
  }
};

/** sum += a^T b: the gradient of a weight from those of its outputs and its inputs. */
void add_product(Tensor sum, const Tensor& a, const Tensor& b) {
  if (a.scalar_type() == torch::kFloat32) {
    sum.addmm_(a.t(), b);
  } else {
    const Tensor product = at::mm(a.t(), b);
    cpu::kernels().add(kernel_type(product), product.data_ptr(), floats(sum), floats(sum),
                       sum.numel());
  }
}

void add_column_sums(const Tensor& sums, const Tensor& x) {
  cpu::kernels().column_sums(kernel_type(x), x.data_ptr(), floats(sums), x.size(0), x.size(1));
}

/** hidden becomes GELU(hidden), gradient the gradient before GELU; bias gains its column sums. */
void gelu_backward(const Tensor& hidden, const Tensor& gradient, const Tensor& bias) {
  cpu::kernels().gelu_backward(kernel_type(hidden), hidden.data_ptr(), gradient.data_ptr(),
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
                                      .type = kernel_type(dy)},
                                     0, dy.size(0));
  return scaled;
}

/** Gradient [T, 3D] of the packed projections (CLS-only: [T, 2D], and `dquery` [S, D]). */
Tensor attention_backward(const BlockTape& t, const Slab& slab, std::int64_t heads,
                          const Tensor& dheads, Tensor& dquery) {
  const bool only_cls = t.query.defined();
  const std::int64_t dim = t.heads.size(1), head_dim = dim / heads;
  const std::int64_t key_kind = only_cls ? 0 : 1;
  Tensor dqkv = torch::empty_like(t.qkv);
  if (only_cls) dquery = torch::empty_like(t.query);
  for_each_head(
      slab, only_cls, heads, head_dim,
      [&](std::int64_t query_row, std::int64_t key_row, std::int64_t head, void* scratch) {
        const std::int64_t column = head * head_dim;
        cpu::kernels().attention_backward(
            {.forward = head_view(t, query_row, key_row, slab.tokens, head, heads, scratch),
             .dout = columns(dheads, query_row, 0, dim, column),
             .dq = columns(only_cls ? dquery : dqkv, query_row, 0, dim, column),
             .dk = columns(dqkv, key_row, key_kind, dim, column),
             .dv = columns(dqkv, key_row, key_kind + 1, dim, column)});
      });
  return dqkv;
}

/** Backward of all blocks of one slab: dout [T or S, D] fp32 into dx [T, D] (the gradient of the
 * tokens, overwritten) and sums. Frees the tape block by block. */
void slab_backward(const Pass& pass, const Slab& slab, SlabTape& tape, const Tensor& dout,
                   const Tensor& dtokens, const Gradients& sums) {
  const std::int64_t dim = pass.options.dim;
  Tensor dx = pass.cls_only ? dout.clone() : dtokens.copy_(dout);  // gradient of the stream
  const Tensor& last_scale = tape.back().scale2;
  Tensor dbranch =  // gradient of what the block's MLP added to the stream
      (last_scale.defined() ? dx * last_scale.unsqueeze(1) : dx).to(pass.type);
  add_column_sums(sums.views[(tape.size() - 1) * kPerBlock + kFc2Bias], dbranch);

  for (std::size_t i = tape.size(); i-- > 0;) {
    const Weights& w = pass.weights[i];
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

struct Tape : torch::CustomClassHolder {
  Pass pass;
  std::vector<std::vector<SlabTape>> slabs;       ///< by lane
  std::vector<std::vector<std::int64_t>> shapes;  ///< of the parameters
};

Pass make_pass(at::TensorList inputs, const arch::Vit& options, const TokenLayout& layout,
               const Tensor& drop, bool cls_only, torch::Dtype type) {
  Pass pass{.options = options,
            .layout = layout,
            .type = type,
            .cls_only = cls_only,
            .drop = drop,
            .weights = {},
            .lanes = share_out(layout, options.dim)};
  for (std::size_t i = 1; i < inputs.size(); i += kPerBlock)
    pass.weights.push_back(cast_weights(&inputs[i], type));
  return pass;
}

class FusedEncoder : public torch::autograd::Function<FusedEncoder> {
 public:
  // inputs: the tokens, then kPerBlock parameters per block.
  static Tensor forward(torch::autograd::AutogradContext* context, at::TensorList inputs,
                        const arch::Vit& options, const TokenLayout& layout,
                        const std::optional<Tensor>& drop, bool cls_only, torch::Dtype type) {
    auto tape = c10::make_intrusive<Tape>();
    tape->pass = make_pass(inputs, options, layout, drop.value_or(Tensor()), cls_only, type);
    for (std::size_t i = 1; i < inputs.size(); ++i) tape->shapes.push_back(inputs[i].sizes().vec());
    context->saved_data["tape"] = torch::IValue::make_capsule(tape);
    return model::forward(tape->pass, inputs[0].contiguous(), &tape->slabs);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list output) {
    const auto capsule = context->saved_data["tape"].toCapsule();
    auto& tape = static_cast<Tape&>(*capsule);
    const Pass& pass = tape.pass;
    const Tensor dout = output[0].contiguous();
    const Tensor dtokens = torch::empty({pass.layout.rows(), pass.options.dim});
    std::vector<std::optional<Gradients>> sums(pass.lanes.size());
    for_each_lane(pass.lanes, [&](std::size_t lane) {
      sums[lane].emplace(tape.shapes);
      for (std::size_t i = 0; i < pass.lanes[lane].size(); ++i) {
        const Slab& slab = pass.lanes[lane][i];
        slab_backward(pass, slab, tape.slabs[lane][i],
                      pass.cls_only ? dout.narrow(0, slab.first_sequence, slab.sequences)
                                    : dout.narrow(0, slab.first_row, slab.rows()),
                      dtokens.narrow(0, slab.first_row, slab.rows()), *sums[lane]);
      }
    });
    for (std::size_t lane = 1; lane < sums.size(); ++lane) sums[0]->add(*sums[lane]);
    torch::autograd::variable_list grads = {dtokens};
    grads.insert(grads.end(), sums[0]->views.begin(), sums[0]->views.end());
    grads.resize(grads.size() + 5);  // the other arguments get none
    return grads;
  }
};

}  // namespace

Tensor fused_encoder(const std::vector<std::shared_ptr<Block>>& blocks, const arch::Vit& options,
                     const Tensor& x, const TokenLayout& layout, const Tensor& drop, bool cls_only,
                     Precision precision) {
  const torch::Dtype type = dtype_of(precision);
  DINO_ASSERT(can_fuse(options));
  std::vector<Tensor> inputs = {x};
  for (const auto& block : blocks) {
    for (auto& parameter : parameters(*block)) inputs.push_back(std::move(parameter));
  }
  if (torch::GradMode::is_enabled()) {
    const auto maybe_drop = drop.defined() ? std::optional(drop) : std::nullopt;
    return FusedEncoder::apply(at::TensorList(inputs), options, layout, maybe_drop, cls_only, type);
  }
  return forward(make_pass(inputs, options, layout, drop, cls_only, type), x.contiguous(), nullptr);
}

}  // namespace dino::model
