// Neighboring sequences that the same branches take are one run of rows, so without stochastic
// depth a whole slab is one.
#include "dino/model/fused_residual.h"

#include <ATen/Parallel.h>
#include <torch/types.h>

#include <cstring>

#include "dino/cpu/kernels.h"
#include "dino/tensor/cpu_rows.h"

namespace dino::model::fused {
namespace {

constexpr std::int64_t kRowGrain = 16;

/** Rows of the stream, and where they lie among those of the branch before and of the branch after:
 * -1 if that one does not take them. */
struct Run {
  std::int64_t first = 0, rows = 0, before = -1, after = -1;
};

/** The runs of a stream with `rows` rows a sequence. A null branch takes nothing. */
std::vector<Run> runs_of(const Taken* before, const Taken* after, std::int64_t rows) {
  const auto place = [](const Taken* branch, std::size_t sequence) {
    return branch == nullptr ? -1 : branch->places[sequence];
  };
  std::vector<Run> runs;
  const std::size_t sequences = (before != nullptr ? before : after)->places.size();
  for (std::size_t s = 0; s < sequences; ++s) {
    const std::int64_t b = place(before, s), a = place(after, s);
    if (runs.empty() || (runs.back().before < 0) != (b < 0) || (runs.back().after < 0) != (a < 0)) {
      runs.push_back({.first = static_cast<std::int64_t>(s) * rows,
                      .before = b < 0 ? -1 : b * rows,
                      .after = a < 0 ? -1 : a * rows});
    }
    runs.back().rows += rows;
  }
  return runs;
}

/** The elements of an fp32 tensor from row r on; nullptr if it is undefined. */
float* floats_at(const Tensor& x, std::int64_t r) {
  return x.defined() ? x.data_ptr<float>() + r * x.stride(0) : nullptr;
}

void forward_run(cpu::LayerNormForward args, const Run& run) {
  if (args.y == nullptr && args.x != nullptr && args.x != args.x_in) {
    std::memcpy(args.x, args.x_in, static_cast<std::size_t>(run.rows * args.dim) * sizeof(float));
  }
  if (args.y == nullptr && args.gamma == nullptr) return;
  at::parallel_for(0, run.rows, kRowGrain, [&](std::int64_t first, std::int64_t last) {
    cpu::kernels().layer_norm_forward(args, first, last);
  });
}

/** scaled = scale * dx, without a norm between. */
void scale_rows(const Tensor& dx, const Run& run, const Taken& branch, const Tensor& scaled) {
  const std::int64_t dim = dx.size(1);
  for (std::int64_t r = 0; r < run.rows; ++r) {
    const float* scale = floats_at(branch.scale, run.before + r);
    cpu::kernels().convert(tensor::cpu_type(scaled), floats_at(dx, run.first + r),
                           scale == nullptr ? 1.0F : *scale, tensor::row_of(scaled, run.before + r),
                           dim);
  }
}

void add_column_sums(const Tensor& x, const Run& run, const Tensor& sums) {
  cpu::kernels().column_sums(tensor::cpu_type(x), tensor::row_of(x, run.before), floats(sums),
                             run.rows, x.size(1));
}

}  // namespace

Taken taken_by(const Pass& pass, std::size_t block, std::int64_t branch, const Slab& slab) {
  Taken taken;
  if (!pass.drop.defined()) {
    for (std::int64_t s = 0; s < slab.sequences; ++s) taken.places.push_back(s);
    taken.sequences = slab.sequences;
    return taken;
  }
  const Tensor factors = pass.drop[static_cast<std::int64_t>(block)][branch].narrow(
      0, slab.first_sequence, slab.sequences);
  for (std::int64_t s = 0; s < slab.sequences; ++s)
    taken.places.push_back(floats(factors)[s] != 0 ? taken.sequences++ : -1);
  const Tensor kept = factors.index({factors.ne(0)});
  taken.scale = pass.only_cls(block) ? kept : kept.repeat_interleave(slab.tokens);
  return taken;
}

Normed add_norm(const Pass& pass, const Tensor& x, const Added& added, const Taken& next,
                const Tensor& gamma, const Tensor& beta) {
  const std::int64_t rows = x.size(0) / static_cast<std::int64_t>(next.places.size());
  const std::int64_t taken = next.sequences * rows;
  Normed normed{.x = added.rows.defined() ? torch::empty_like(x) : x,
                .mean = torch::empty({taken}),
                .rstd = torch::empty({taken}),
                .out = torch::empty({taken, x.size(1)}, pass.type)};
  for (const Run& run : runs_of(added.by, &next, rows)) {
    const bool adds = run.before >= 0, norms = run.after >= 0;
    forward_run({.dim = x.size(1),
                 .x_in = floats_at(x, run.first),
                 .x = floats_at(normed.x, run.first),
                 .y = adds ? tensor::row_of(added.rows, run.before) : nullptr,
                 .row_scale = adds ? floats_at(added.by->scale, run.before) : nullptr,
                 .gamma = norms ? floats(gamma) : nullptr,
                 .beta = floats(beta),
                 .eps = static_cast<float>(pass.options.norm_eps),
                 .out = norms ? tensor::row_of(normed.out, run.after) : nullptr,
                 .mean = norms ? floats_at(normed.mean, run.after) : nullptr,
                 .rstd = norms ? floats_at(normed.rstd, run.after) : nullptr,
                 .type = pass.type == torch::kBFloat16 ? cpu::Type::BF16 : cpu::Type::F32},
                run);
  }
  return normed;
}

void add(const Tensor& x, const Added& added, const Tensor& out) {
  const std::int64_t rows = x.size(0) / static_cast<std::int64_t>(added.by->places.size());
  for (const Run& run : runs_of(added.by, nullptr, rows)) {
    const bool adds = run.before >= 0;
    forward_run({.dim = x.size(1),
                 .x_in = floats_at(x, run.first),
                 .x = floats_at(out, run.first),
                 .y = adds ? tensor::row_of(added.rows, run.before) : nullptr,
                 .row_scale = adds ? floats_at(added.by->scale, run.before) : nullptr,
                 .type = tensor::cpu_type(added.rows)},
                run);
  }
}

Tensor norm_backward(const Tensor& dy, const Normed& normed, const Tensor& gamma,
                     const Taken& after, const Taken* before, const Tensor& dx,
                     const NormSums& sums) {
  const std::int64_t dim = dx.size(1);
  const std::int64_t rows = dx.size(0) / static_cast<std::int64_t>(after.places.size());
  const bool has_branch = sums.branch_bias.defined();
  const Tensor scaled =
      has_branch ? torch::empty({before->sequences * rows, dim}, dy.scalar_type()) : Tensor();
  for (const Run& run : runs_of(has_branch ? before : nullptr, &after, rows)) {
    const bool goes_on = run.before >= 0;
    if (run.after < 0) {
      if (!goes_on) continue;
      scale_rows(dx, run, *before, scaled);
      add_column_sums(scaled, run, sums.branch_bias);
      continue;
    }
    cpu::kernels().layer_norm_backward(
        {.dim = dim,
         .dy = tensor::row_of(dy, run.after),
         .x = floats_at(normed.x, run.first),
         .mean = floats_at(normed.mean, run.after),
         .rstd = floats_at(normed.rstd, run.after),
         .gamma = floats(gamma),
         .dx = floats_at(dx, run.first),
         .scaled = goes_on ? tensor::row_of(scaled, run.before) : nullptr,
         .row_scale = goes_on ? floats_at(before->scale, run.before) : nullptr,
         .dgamma = floats(sums.gamma),
         .dbeta = floats(sums.beta),
         .dbias = floats(sums.branch_bias),
         .type = tensor::cpu_type(dy)},
        0, run.rows);
  }
  return scaled;
}

Tensor branch_gradient(const Tensor& dx, const Taken& branch, torch::Dtype type,
                       const Tensor& branch_bias) {
  const std::int64_t rows = dx.size(0) / static_cast<std::int64_t>(branch.places.size());
  Tensor scaled = torch::empty({branch.sequences * rows, dx.size(1)}, type);
  for (const Run& run : runs_of(&branch, nullptr, rows)) {
    if (run.before < 0) continue;
    scale_rows(dx, run, branch, scaled);
    add_column_sums(scaled, run, branch_bias);
  }
  return scaled;
}

}  // namespace dino::model::fused
